<?php
// Publishes one piece of news over HTTP, with nothing but PHP itself:
// php publish_http.php URL TOKEN ORGANIZATION TEXT

if ($argc !== 5) {
    fwrite(STDERR, "usage: php publish_http.php URL TOKEN ORGANIZATION TEXT\n");
    exit(2);
}
[, $url, $token, $organization, $text] = $argv;

/**
 * Asks wampgate for something, and asks again if no answer came: the key makes that harmless.
 *
 * @return array what it answered
 * @throws RuntimeException what went wrong, in the router's own words
 */
function wampgate(string $url, string $token, string $route, array $body): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            "Authorization: Bearer $token",
            'Content-Type: application/json',
            'Idempotency-Key: ' . bin2hex(random_bytes(16)),
        ],
        'content' => json_encode($body, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION),
        'timeout' => 10,
        'ignore_errors' => true, // a refusal has a body that says why
    ]]);
    for ($attempt = 1; ; $attempt++) {
        $answer = @file_get_contents($url . $route, false, $context);
        if ($answer !== false) {
            break;
        }
        if ($attempt === 3) {
            throw new RuntimeException("no answer from $url");
        }
        sleep($attempt);
    }
    $result = json_decode($answer, true, 64, JSON_THROW_ON_ERROR);
    if (isset($result['status'], $result['detail'])) {
        throw new RuntimeException("$result[status] $result[title]: $result[detail]");
    }
    return $result;
}

try {
    $published = wampgate($url, $token, '/publish', ['topic' => "organization.$organization", 'args' => [$text]]);
    echo "published as $published[publication]\n";
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
