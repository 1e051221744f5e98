<?php

/**
 * A Laravel event that its backend broadcasts through Redis to the members of an organization: app/Events/NewsPosted.php
 *
 *     broadcast(new NewsPosted(7, 'The lift works again'))->toOthers();
 *
 * config/broadcasting.php (BROADCAST_CONNECTION=redis, before Laravel 11 BROADCAST_DRIVER=redis):
 *
 *     'redis' => ['driver' => 'redis', 'connection' => 'default'],
 *
 * config/database.php says what Redis's client puts before each channel; 'laravel_database_' as a rule:
 *
 *     'redis' => ['options' => ['prefix' => env('REDIS_PREFIX', 'laravel_database_')], …],
 *
 * router.json needs the rule
 *
 *     {"dialect": "laravel", "prefix": "laravel_database_", "event": "keyword", "values": "keywords",
 *      "channel": "private-organization.{organization}", "topic": "organization.{organization}"}
 *
 * and a subscriber of organization.7 receives the kwargs {"event": "news.posted", "text": "The lift works again"}.
 *
 * toOthers() leaves out who caused the event, if that one's requests carry the id of its WAMP session in the header
 * X-Socket-ID.
 */

declare(strict_types=1);

namespace App\Events;

use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;

final class NewsPosted implements ShouldBroadcast
{
    use InteractsWithSockets;

    public function __construct(private readonly int $organization, public readonly string $text)
    {
    }

    public function broadcastOn(): PrivateChannel
    {
        return new PrivateChannel("organization.{$this->organization}");
    }

    public function broadcastAs(): string
    {
        return 'news.posted';
    }
}
