<?php
// tests/e2e/clients/post.php - posts one request by PHP's streams, as post.py does.
$job = json_decode(stream_get_contents(STDIN), true);
$ca = tempnam(sys_get_temp_dir(), 'ca');
register_shutdown_function('unlink', $ca);
file_put_contents($ca, $job['ca']);
$headers = array_map(fn($k, $v) => "$k: $v", array_keys($job['headers']), $job['headers']);
$context = stream_context_create([
	'http' => ['method' => 'POST', 'header' => $headers, 'content' => $job['body'], 'ignore_errors' => true],
	'ssl' => ['cafile' => $ca],
]);
$body = file_get_contents($job['url'], false, $context);
echo json_encode(['status' => (int) explode(' ', $http_response_header[0])[1], 'length' => strlen($body)]), "\n";
