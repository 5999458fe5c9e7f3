<?php
declare(strict_types=1);

/* peer.php: the work of GET /users/{id} as a careful PHP developer writes it, for t/bench/run to compare with.
 *
 * It verifies the token, asks Redis whether it is revoked, and MariaDB who calls, whom the path names, and which groups
 * they have. Its answer is the same JSON as Roster's. opcache keeps the code, and both connections stay
 * open between requests. php-fpm's pool gives what roster.conf gives to Roster: see Bench::Stack. */

final class Refusal extends Exception
{
}

function base64url_decode(string $text): string
{
    $bytes = base64_decode(strtr($text, '-_', '+/'), true);
    if ($bytes === false) {
        throw new Refusal('The token is no token.', 401);
    }
    return $bytes;
}

/* The claims of an HS256 token (RFC 7519) that is good now. */
function verify_token(string $token, string $key): array
{
    $parts = explode('.', $token);
    if (count($parts) !== 3) {
        throw new Refusal('The token is no token.', 401);
    }
    $header = json_decode(base64url_decode($parts[0]), true);
    if (!is_array($header) || ($header['alg'] ?? null) !== 'HS256') {
        throw new Refusal('The token is not signed by HS256.', 401);
    }
    $expected = hash_hmac('sha256', "$parts[0].$parts[1]", $key, true);
    if (!hash_equals($expected, base64url_decode($parts[2]))) {
        throw new Refusal('The signature does not fit.', 401);
    }
    $claims = json_decode(base64url_decode($parts[1]), true);
    if (!is_array($claims) || !is_string($claims['id'] ?? null) || !is_string($claims['jti'] ?? null)) {
        throw new Refusal('The token names nobody.', 401);
    }
    $now = time();
    if (($claims['exp'] ?? 0) <= $now || ($claims['nbf'] ?? 0) > $now) {
        throw new Refusal('The token has expired.', 401);
    }
    return $claims;
}

function bearer_token(): string
{
    $authorization = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
    if (strncasecmp($authorization, 'Bearer ', 7) !== 0) {
        throw new Refusal('There is no token.', 401);
    }
    return substr($authorization, 7);
}

/* Whether other programs have revoked the token, or all tokens of its user up to a moment. */
function is_revoked(Redis $redis, array $claims): bool
{
    [$token, $moment] = $redis->mGet([
        "open-webui:auth:token:$claims[jti]:revoked",
        "open-webui:auth:user:$claims[id]:revoked_at",
    ]);
    return $token !== false || ($moment !== false && ($claims['iat'] ?? 0) <= (int) $moment);
}

function connect_database(): PDO
{
    $source = sprintf('mysql:unix_socket=%s;dbname=%s;charset=utf8mb4', getenv('DATABASE_SOCKET'),
        getenv('DATABASE_NAME'));
    return new PDO($source, getenv('DATABASE_USER'), getenv('DATABASE_PASSWORD'), [
        PDO::ATTR_PERSISTENT => true,
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
    ]);
}

function select(PDO $database, string $sql, array $values): array
{
    $statement = $database->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

/* The caller's id and role, where the account and the session are good. */
function find_caller(PDO $database, array $claims): array
{
    $rows = select($database, 'SELECT u.id, u.role, u.sessions_ended_at, s.jti, s.revoked_at, a.active FROM user u '
        . 'LEFT JOIN session s ON s.jti = ? AND s.user_id = u.id LEFT JOIN auth a ON a.id = u.id WHERE u.id = ?',
        [$claims['jti'], $claims['id']]);
    $caller = $rows[0] ?? null;
    if ($caller === null || $caller['active'] === 0) {
        throw new Refusal('The account is gone or disabled.', 401);
    }
    $ended = $caller['jti'] !== null ? $caller['revoked_at'] !== null
        : $caller['sessions_ended_at'] !== null && ($claims['iat'] ?? 0) <= $caller['sessions_ended_at'];
    if ($ended) {
        throw new Refusal('The session has ended.', 401);
    }
    if ($caller['role'] !== 'user' && $caller['role'] !== 'admin') {
        throw new Refusal('The account waits for an administrator.', 401);
    }
    return $caller;
}

function find_user(PDO $database, string $id): array
{
    $rows = select($database, 'SELECT id, email, username, role, name, profile_image_url, profile_banner_image_url, '
        . 'bio, gender, date_of_birth, timezone, presence_state, status_emoji, status_message, status_expires_at, '
        . 'info, settings, oauth, last_active_at, updated_at, created_at FROM user WHERE id = ?', [$id]);
    if ($rows === []) {
        throw new Refusal('There is no such user.', 404);
    }
    return $rows[0];
}

function find_groups(PDO $database, string $id): array
{
    return select($database, 'SELECT g.id, g.name FROM group_member m JOIN `group` g ON g.id = m.group_id '
        . 'WHERE m.user_id = ? ORDER BY g.updated_at DESC, g.id', [$id]);
}

/* The user as the caller may see it: documents are for themselves and administrators. */
function show_user(array $user, array $groups, array $caller): array
{
    $sees_all = $caller['role'] === 'admin' || $caller['id'] === $user['id'];
    foreach (['info', 'settings', 'oauth'] as $name) {
        $user[$name] = $sees_all && $user[$name] !== null ? json_decode($user[$name]) : null;
    }
    $user['groups'] = $groups;
    $user['is_active'] = $user['last_active_at'] >= time() - 180;
    return $user;
}

function answer(): array
{
    $claims = verify_token(bearer_token(), getenv('SECRET_KEY'));
    $redis = new Redis();
    $redis->pconnect(getenv('REDIS_SOCKET'));
    if (is_revoked($redis, $claims)) {
        throw new Refusal('The session has ended.', 401);
    }
    $database = connect_database();
    $caller = find_caller($database, $claims);
    $id = rawurldecode(basename(strtok($_SERVER['REQUEST_URI'], '?')));
    return show_user(find_user($database, $id), find_groups($database, $id), $caller);
}

header('Content-Type: application/json');
try {
    $body = answer();
} catch (Refusal $refusal) {
    http_response_code($refusal->getCode());
    $body = ['detail' => $refusal->getMessage()];
}
echo json_encode($body, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
