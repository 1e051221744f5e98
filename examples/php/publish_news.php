<?php

/**
 * Publishes news for the members of an organization on a plain Redis channel, with PHP's redis extension.
 *
 *     php publish_news.php 7 "The lift works again"
 *
 * On Debian the extension is the package php-redis. router.json needs the rule
 *
 *     {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
 *
 * and a subscriber of organization.7 receives the kwargs {"text": "The lift works again"}.
 *
 * The environment may name another Redis: REDIS_HOST, REDIS_PORT.
 */

declare(strict_types=1);

if ($argc !== 3) {
    fwrite(STDERR, "usage: php publish_news.php ORGANIZATION TEXT\n");
    exit(2);
}
if (!extension_loaded('redis')) {
    fwrite(STDERR, "PHP's redis extension is missing; on Debian: apt install php-redis\n");
    exit(1);
}

[, $organization, $text] = $argv;

$redis = new Redis();
$redis->connect(getenv('REDIS_HOST') ?: '127.0.0.1', (int) (getenv('REDIS_PORT') ?: 6379));
$redis->publish("channel.$organization", json_encode(['text' => $text], JSON_THROW_ON_ERROR));
