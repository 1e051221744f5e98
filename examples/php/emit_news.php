<?php

/**
 * Publishes news for the members of an organization through socket.io's PHP emitter and Redis.
 *
 * Nothing in it knows of wampgate: it is what a backend that speaks to socket.io does anyway.
 *
 *     composer require rase/socket.io-emitter:^0.7
 *     php emit_news.php 7 "The lift works again"
 *
 * Composer brings the emitter; PHP's redis extension is used if it is there, a small client of the package's own
 * if not. router.json needs the rule
 *
 *     {"dialect": "socketio-emitter",
 *      "room": "organization.{organization}", "topic": "organization.{organization}"}
 *
 * and a subscriber of organization.7 receives the args ["news", {"data": "The lift works again"}].
 *
 * The environment may name another Redis: REDIS_HOST, REDIS_PORT.
 */

declare(strict_types=1);

require __DIR__ . '/vendor/autoload.php';

if ($argc !== 3) {
    fwrite(STDERR, "usage: php emit_news.php ORGANIZATION TEXT\n");
    exit(2);
}

[, $organization, $text] = $argv;

$emitter = new SocketIO\Emitter([
    'host' => getenv('REDIS_HOST') ?: '127.0.0.1',
    'port' => getenv('REDIS_PORT') ?: '6379',
]);
$emitter->in("organization.$organization")->emit('news', ['data' => $text]);
