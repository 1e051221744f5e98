<?php

/**
 * Ships an order and inserts the news of it in one transaction, with PDO.
 *
 *     php insert_news.php "pgsql:host=127.0.0.1;dbname=shop" your_backend 4711 7
 *
 * The password is taken from the environment: PGPASSWORD. On Debian the driver is the package php-pgsql.
 * docs/outbox.md tells how the table comes about. Were the transaction rolled back, nothing would be
 * published; once it is committed, nothing keeps the news from coming.
 */

declare(strict_types=1);

if ($argc !== 5) {
    fwrite(STDERR, "usage: php insert_news.php DSN USER ORDER ORGANIZATION\n");
    exit(2);
}
if (!extension_loaded('pdo_pgsql')) {
    fwrite(STDERR, "PHP's driver for Postgres is missing; on Debian: apt install php-pgsql\n");
    exit(1);
}

[, $dsn, $user, $order, $organization] = $argv;

$database = new PDO($dsn, $user, getenv('PGPASSWORD') ?: null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$database->beginTransaction();
try {
    $database->prepare("UPDATE orders SET state = 'shipped' WHERE id = ?")->execute([$order]);
    $database->prepare('INSERT INTO wampgate_outbox (topic, kwargs) VALUES (?, ?)')->execute([
        "organization.$organization",
        json_encode(['order' => $order, 'state' => 'shipped'], JSON_THROW_ON_ERROR),
    ]);
    $database->commit();
} catch (Throwable $error) {
    $database->rollBack();
    throw $error;
}
echo "committed\n";
