/* test_identity.c: who is calling, against a MariaDB and a Redis of our own: tokens and where they are looked for, API
 * keys, sessions that have ended in a row, by the epoch or in Redis, and what is kept of a visit. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/identity.h"
#include "auth/token.h"
#include "base/array.h"
#include "base/problem.h"
#include "store/key_store.h"
#include "store/redis.h"
#include "store/session_store.h"
#include "store_fixture.h"
#include "unit.h"

#define NOW INT64_C(1800000000)
#define KEY "sk-0123456789abcdef0123456789abcdef"

static struct private_server redis;
static struct identity identity;

static void tell_redis(const char *command)
{
    assert_true(redis_append(&context, command));
    assert_non_null(redis_read(&context));
}

static int set_up(void **state)
{
    (void)state;
    return store_set_up_with_redis("", &redis) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down_with_redis(&redis);
    return 0;
}

static void new_request(void)
{
    memset(&context.problem, 0, sizeof context.problem);
    context.statement_count = context.statements_kept = 0;
}

/* Three users who were here a moment ago, nothing configured, and a Redis that holds nothing. */
static int fresh(void **state)
{
    (void)state;
    arena_reset(context.arena);
    context.now_seconds = NOW;
    /* where a test broke off */
    if (config.database_socket != mariadb.socket || config.redis_socket != redis.socket) {
        database_close();
        redis_close();
    }
    config.database_socket = mariadb.socket;
    config.redis_socket = redis.socket;
    config.redis_prefix = "open-webui";
    config.redis_required = false;
    config.redis_timeout = 5000;
    config.secret_keys = (struct secret_keys){{TEXT("0123456789abcdef0123456789abcdef")}, 1};
    config.last_active_interval = 60;
    execute("DELETE FROM `user`");
    execute("DELETE FROM `group`");
    execute("DELETE FROM `config`");
    execute("INSERT INTO `user` (`id`, `email`, `name`, `role`, `last_active_at`) VALUES "
            "('a1', 'root@example.org', 'Root', 'admin', 1799999990), "
            "('u1', '\xc3\x84nne@example.org', '\xc3\x84nne', 'user', 1799999990), "
            "('u2', 'ben@example.org', 'Ben', 'user', 1799999990)");
    tell_redis("FLUSHALL");
    new_request();
    return 0;
}

/* ---- Calls ---- */

static enum outcome call(const struct credentials *credentials)
{
    new_request();
    return identity_authenticate(&context, credentials, &identity);
}

static struct text bearer(struct text token)
{
    return text_format(context.arena, "Bearer %.*s", (int)token.length, token.data);
}

static enum outcome call_with(struct text token)
{
    return call(&(struct credentials){.authorization = bearer(token), .path = TEXT("/users")});
}

static void assert_refused(enum outcome outcome, enum error_code code, int status, bool drop_cookies)
{
    assert_int_equal(outcome, PROBLEM);
    assert_string_equal(error_name(context.problem.code), error_name(code));
    assert_int_equal(context.problem.status != 0 ? context.problem.status : error_status(code), status);
    assert_int_equal(identity.drop_cookies, drop_cookies);
    assert_null(identity.is_api_key ? NULL : identity.user_id.data);
}

static void assert_good(struct text token)
{
    enum outcome outcome = call_with(token);

    if (outcome != OK) {
        fail_msg("refused: %s, %s", error_name(context.problem.code), context.problem.detail);
    }
    assert_false(identity.drop_cookies);
}

#define ASSERT_ENDED(token) assert_refused(call_with(token), ERROR_INVALID_TOKEN, 401, true)

static struct text encode(const void *bytes, size_t length)
{
    char *encoded = arena_alloc(context.arena, length / 3 * 4 + 5);
    size_t encoded_length = (size_t)EVP_EncodeBlock((unsigned char *)encoded, bytes, (int)length);

    while (encoded_length > 0 && encoded[encoded_length - 1] == '=') {
        encoded_length--;
    }
    for (size_t i = 0; i < encoded_length; i++) {
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    }
    return (struct text){encoded, encoded_length};
}

/* A token with any claims, signed with our key. */
static struct text token_of(const char *claims)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    struct text left = encode(header, sizeof header - 1), right = encode(claims, strlen(claims));
    struct text input =
        text_format(context.arena, "%.*s.%.*s", (int)left.length, left.data, (int)right.length, right.data);
    struct text signature;

    HMAC(EVP_sha256(), config.secret_keys.items[0].data, (int)config.secret_keys.items[0].length,
         (const unsigned char *)input.data, input.length, mac, &mac_length);
    signature = encode(mac, mac_length);
    return text_format(context.arena, "%s.%.*s", input.data, (int)signature.length, signature.data);
}

#define GOOD_TOKEN token_of("{\"id\":\"u1\",\"jti\":\"j1\",\"iat\":1799999000,\"exp\":1800000500}")

/* ---- Finding the token ---- */

static void assert_found(const struct credentials *credentials, const char *expected)
{
    struct text token = TEXT("?");
    bool by_cookie = true;

    new_request();
    assert_int_equal(identity_find_token(&context, credentials, &token, &by_cookie), OK);
    assert_int_equal(by_cookie, expected != NULL && strcmp(expected, "cookie") == 0);
    if (expected == NULL) {
        assert_null(token.data);
    } else if (!text_is(token, expected)) {
        fail_msg("'%.*s', not '%s'", (int)token.length, token.data, expected);
    }
}

static void test_header_forms(void **state)
{
    static const char *const good[] = {"Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc"};
    static const char *const other[] = {"",          "Basic", "Basic eHg6eA==", "Basic a b c", "Bearerx abc",
                                        "Beare abc", "abc",   " Bearer abc"};
    static const char *const malformed[] = {"Bearer",      "bearer",         "Bearer ",    "Bearer  ",
                                            "Bearer  abc", "Bearer abc def", "Bearer abc "};
    struct credentials credentials = {.cookie = TEXT("cookie")};
    struct text token;
    bool by_cookie;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        credentials.authorization = text_of(good[i]);
        assert_found(&credentials, "abc");
    }
    for (size_t i = 0; i < ARRAY_COUNT(other); i++) {
        credentials.authorization = text_of(other[i]);
        assert_found(&credentials, "cookie");
    }
    for (size_t i = 0; i < ARRAY_COUNT(malformed); i++) {
        credentials.authorization = text_of(malformed[i]);
        new_request();
        assert_int_equal(identity_find_token(&context, &credentials, &token, &by_cookie), PROBLEM);
        assert_null(token.data);
        assert_refused(call(&credentials), ERROR_NOT_AUTHENTICATED, 401, false);
        assert_non_null(context.problem.detail);
    }
}

static void test_precedence(void **state)
{
    struct credentials credentials = {
        .authorization = TEXT("Bearer header"), .api_key = TEXT("key"), .cookie = TEXT("cookie")};

    (void)state;
    assert_found(&credentials, "header");
    credentials.authorization = TEXT("Basic eHg6eA==");
    assert_found(&credentials, "key");
    credentials.authorization = TEXT_NULL;
    assert_found(&credentials, "key");
    credentials.api_key = TEXT("");
    assert_found(&credentials, "cookie");
    credentials.api_key = TEXT_NULL;
    assert_found(&credentials, "cookie");
    credentials.cookie = TEXT_NULL;
    assert_found(&credentials, NULL);
    assert_refused(call(&credentials), ERROR_NOT_AUTHENTICATED, 401, false);

    credentials =
        (struct credentials){.authorization = TEXT("Bearer a"), .authorization_repeated = true, .cookie = GOOD_TOKEN};
    assert_refused(call(&credentials), ERROR_NOT_AUTHENTICATED, 401, false);
    assert_int_equal(context.statement_count, 0);

    /* A bad token in the header is not saved by a good one behind it. */
    credentials = (struct credentials){.authorization = TEXT("Bearer a"), .api_key = GOOD_TOKEN, .cookie = GOOD_TOKEN};
    assert_refused(call(&credentials), ERROR_UNAUTHORIZED, 401, true);
    credentials.authorization = TEXT_NULL;
    assert_int_equal(call(&credentials), OK);
    assert_false(identity.by_cookie);
    credentials.api_key = TEXT_NULL;
    assert_int_equal(call(&credentials), OK);
    assert_true(identity.by_cookie);
    assert_true(text_is(identity.user_id, "u1"));
}

/* ---- JSON Web Tokens, ended sessions, the trusted email address ---- */

static void test_good_token(void **state)
{
    struct text token = GOOD_TOKEN;

    (void)state;
    assert_good(token);
    assert_int_equal(context.statement_count, 1);
    assert_true(text_is(identity.user_id, "u1"));
    assert_true(text_is(identity.email, "\xc3\x84nne@example.org"));
    assert_true(text_is(identity.name, "\xc3\x84nne"));
    assert_true(text_is(identity.role, "user"));
    assert_int_equal(identity.last_active_at, 1799999990);
    assert_false(identity.is_api_key);
    assert_true(text_equal(identity.token, token));
    assert_true(text_is(identity.jti, "j1"));
    assert_int_equal(identity.expires_at, 1800000500);
    assert_null(identity.session_jti.data);
    assert_null(identity.key_id.data);

    assert_good(token_of("{\"id\":\"a1\",\"exp\":1800000001}"));
    assert_true(text_is(identity.role, "admin"));
    assert_null(identity.jti.data);
}

static void test_bad_tokens(void **state)
{
    struct text token;

    (void)state;
    assert_refused(call_with(TEXT("x")), ERROR_UNAUTHORIZED, 401, true);
    assert_refused(call_with(token_of("{\"id\":\"u1\",\"exp\":1800000000}")), ERROR_UNAUTHORIZED, 401, true);
    assert_refused(call_with(token_of("{\"exp\":1800000500}")), ERROR_UNAUTHORIZED, 401, true);
    assert_refused(call_with(token_of("{\"id\":7,\"exp\":1800000500}")), ERROR_INVALID_TOKEN, 401, true);
    assert_int_equal(context.statement_count, 0);
    token = GOOD_TOKEN;
    config.secret_keys = (struct secret_keys){{TEXT("0123456789abcdef0123456789abcdeF")}, 1};
    assert_refused(call_with(token), ERROR_UNAUTHORIZED, 401, true);

    /* Ids are the same bytes or another user's. */
    ASSERT_ENDED(token_of("{\"id\":\"u9\",\"iat\":1799999000,\"exp\":1800000500}"));
    ASSERT_ENDED(token_of("{\"id\":\"U1\",\"iat\":1799999000,\"exp\":1800000500}"));
    ASSERT_ENDED(token_of("{\"id\":\"u1 \",\"iat\":1799999000,\"exp\":1800000500}"));
    ASSERT_ENDED(token_of("{\"id\":\"\",\"iat\":1799999000,\"exp\":1800000500}"));
}

static void test_no_expiry(void **state)
{
    struct text token = token_of("{\"id\":\"u1\"}");

    (void)state;
    assert_refused(call_with(token), ERROR_UNAUTHORIZED, 401, true);
    execute("INSERT INTO config (data) VALUES ('{\"auth\":{\"jwt_expiry\":\"-1\"}}')");
    assert_good(token);
    assert_int_equal(identity.expires_at, -1);
    execute("INSERT INTO config (data) VALUES ('{\"auth\":{\"jwt_expiry\":\"1h\"}}')");
    assert_refused(call_with(token), ERROR_UNAUTHORIZED, 401, true);
    assert_good(GOOD_TOKEN);
}

static void test_session_row(void **state)
{
    struct text token = GOOD_TOKEN;

    (void)state;
    const struct session_new session = {
        .jti = TEXT("j1"),
        .user_id = TEXT("u1"),
        .expires_at = 1800000500,
        .address = TEXT("192.0.2.1"),
        .key_id = "0123abcd",
    };
    assert_int_equal(session_store_add(&context, &session), OK);
    assert_good(token);
    assert_true(text_is(identity.session_jti, "j1"));
    assert_int_equal(identity.session_last_seen_at, NOW);

    /* The row decides, whatever Redis knows, and the epoch spares it. */
    execute("UPDATE user SET sessions_ended_at = 1800000000 WHERE id = 'u1'");
    assert_good(token);
    execute("UPDATE session SET revoked_at = 1799999999");
    ASSERT_ENDED(token);
    execute("UPDATE user SET sessions_ended_at = NULL");
    ASSERT_ENDED(token);

    /* Somebody else's row of the same name is not this session's. */
    execute("UPDATE session SET user_id = 'u2'");
    assert_good(token);
    assert_null(identity.session_jti.data);
    execute("UPDATE session SET revoked_at = NULL");
    execute("UPDATE user SET sessions_ended_at = 1800000000 WHERE id = 'u1'");
    ASSERT_ENDED(token);
}

static void test_epoch(void **state)
{
    struct text without = token_of("{\"id\":\"u1\",\"exp\":1800000500}");

    (void)state;
    assert_good(without);
    execute("UPDATE user SET sessions_ended_at = 1799999000 WHERE id = 'u1'");
    ASSERT_ENDED(GOOD_TOKEN);
    ASSERT_ENDED(without);
    assert_good(token_of("{\"id\":\"u1\",\"iat\":1799999001,\"exp\":1800000500}"));
    ASSERT_ENDED(token_of("{\"id\":\"u1\",\"iat\":1799998999,\"exp\":1800000500}"));
    assert_good(token_of("{\"id\":\"u2\",\"iat\":1799998999,\"exp\":1800000500}"));

    execute("UPDATE user SET sessions_ended_at = NULL");
    assert_good(GOOD_TOKEN);
    assert_int_equal(
        session_store_end_everywhere(&context, TEXT("u1"), (struct kept_session){TEXT("j1"), 1800000500}, false), OK);
    assert_good(GOOD_TOKEN); /* kept, and given a row */
    assert_true(text_is(identity.session_jti, "j1"));
    ASSERT_ENDED(token_of("{\"id\":\"u1\",\"jti\":\"j2\",\"iat\":1799999000,\"exp\":1800000500}"));
}

static void test_redis(void **state)
{
    struct text other = token_of("{\"id\":\"u1\",\"jti\":\"j2\",\"iat\":1799999001,\"exp\":1800000500}");
    struct text without = token_of("{\"id\":\"u1\",\"exp\":1800000500}");

    (void)state;
    tell_redis("SET open-webui:auth:token:j1:revoked 1");
    ASSERT_ENDED(GOOD_TOKEN);
    assert_good(other);
    assert_good(without);
    config.redis_prefix = "other";
    assert_good(GOOD_TOKEN);
    config.redis_prefix = "open-webui";

    tell_redis("FLUSHALL");
    tell_redis("SET open-webui:auth:user:u1:revoked_at 1799999000");
    ASSERT_ENDED(GOOD_TOKEN);
    ASSERT_ENDED(without);
    assert_good(other);
    assert_good(token_of("{\"id\":\"u2\",\"iat\":1799999000,\"exp\":1800000500}"));
    tell_redis("SET open-webui:auth:user:u1:revoked_at 1799999001.25");
    ASSERT_ENDED(other);
    tell_redis("SET open-webui:auth:user:u1:revoked_at nonsense");
    assert_good(other);
}

static void configure(const char *document)
{
    const struct parameter parameters[] = {BIND_TEXT(text_of(document))};

    assert_int_equal(
        database_execute(&context, "INSERT INTO config (data) VALUES (?)", parameters, 1, NULL, ERROR_NONE), OK);
}

#define KEYS_ON "\"auth\":{\"enable_api_keys\":true}"
#define ALL_MAY "\"user\":{\"permissions\":{\"features\":{\"api_keys\":true}}}"

static void add_key(const char *user_id, const char *key)
{
    struct text id;

    assert_int_equal(key_store_add(&context, text_of(user_id), text_of(key),
                                   &(struct key_change){.name = TEXT("x"), .expires_at = -1}, &id),
                     OK);
}

/* A password is changed while the session that goes on asks: its row is read before the commit, and Redis answers after
 * it. */
static void test_redis_is_ahead(void **state)
{
    char command[256];
    int status;

    (void)state;
    execute("INSERT INTO session (jti, user_id, expires_at) VALUES ('j1', 'u1', 1800000500)");
    tell_redis("SET open-webui:auth:user:u1:revoked_at 1800000000");
    ASSERT_ENDED(GOOD_TOKEN); /* another program's, as far as MariaDB knows */
    snprintf(command, sizeof command,
             "mariadb --socket=%s -u root roster -e \"UPDATE user SET sessions_ended_at = 1800000000 WHERE id = 'u1'\"",
             mariadb.socket);
    kill(redis.pid, SIGSTOP);
    pid_t pid = fork();
    if (pid == 0) {
        private_server_pause(300);
        status = system(command);
        kill(redis.pid, SIGCONT);
        _exit(status == 0 ? 0 : 1);
    }
    enum outcome outcome = call_with(GOOD_TOKEN);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(outcome, OK);
    assert_true(text_is(identity.session_jti, "j1"));
}

static void test_disabled(void **state)
{
    (void)state;
    configure("{" KEYS_ON "," ALL_MAY "}");
    add_key("u1", KEY);
    execute("INSERT INTO auth (id, email, password, active) VALUES ('u1', 'u1@example.org', '', 0), ('u2', "
            "'u2@example.org', '', 1)");
    ASSERT_ENDED(GOOD_TOKEN);
    assert_int_equal(context.statement_count, 1);
    assert_refused(call_with(TEXT(KEY)), ERROR_INVALID_TOKEN, 401, true);
    assert_int_equal(context.statement_count, 1);
    assert_good(token_of("{\"id\":\"u2\",\"exp\":1800000500}"));
    assert_good(token_of("{\"id\":\"a1\",\"exp\":1800000500}")); /* no row: active */
    execute("UPDATE auth SET active = 1 WHERE id = 'u1'");
    assert_good(GOOD_TOKEN);
    assert_int_equal(call_with(TEXT(KEY)), OK);
}

static void test_redis_is_away(void **state)
{
    (void)state;
    execute("INSERT INTO session (jti, user_id, revoked_at) VALUES ('j2', 'u1', 1)");
    config.redis_socket = "/proc/none/redis.sock";
    redis_close();
    assert_good(GOOD_TOKEN);
    ASSERT_ENDED(token_of("{\"id\":\"u1\",\"jti\":\"j2\",\"exp\":1800000500}"));

    config.redis_required = true;
    assert_int_equal(call_with(GOOD_TOKEN), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_int_equal(context.problem.retry_after_seconds, 1);
    assert_false(identity.drop_cookies);

    config.redis_socket = redis.socket;
    redis_close();
    assert_good(GOOD_TOKEN);

    /* It takes the question, and does not answer. */
    config.redis_timeout = 100;
    redis_close();
    assert_good(GOOD_TOKEN);
    kill(redis.pid, SIGSTOP);
    assert_int_equal(call_with(GOOD_TOKEN), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    kill(redis.pid, SIGCONT);
    config.redis_timeout = 5000;
    redis_close();
    assert_good(GOOD_TOKEN);
}

/* Redis has the question before MariaDB answers: so the two take as long as the slower one. Who holds the lock on the
 * table gives it up when Redis has counted a GET; whoever asks it later waits for that lock too long. */
static void test_redis_is_asked_first(void **state)
{
    char command[1024], ready[128];
    int status;

    (void)state;
    snprintf(ready, sizeof ready, "%s/locked", redis.directory);
    snprintf(command, sizeof command,
             "{ printf '%%s\\n' 'LOCK TABLES user WRITE;' '\\! touch %s'; for i in $(seq 100); do redis-cli -s %s INFO "
             "commandstats | grep -q cmdstat_get && break; sleep .1; done; } | mariadb --socket=%s -u root roster",
             ready, redis.socket, mariadb.socket);
    assert_good(GOOD_TOKEN);
    tell_redis("CONFIG RESETSTAT");
    pid_t pid = fork();
    if (pid == 0) {
        _exit(system(command) == 0 ? 0 : 1);
    }
    for (int i = 0; i < 1000 && access(ready, F_OK) != 0; i++) {
        private_server_pause(10);
    }
    assert_int_equal(access(ready, F_OK), 0);
    enum outcome outcome = call_with(GOOD_TOKEN);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(outcome, OK);
}

/* Answers of Redis to a request that failed are not taken for those to the next one. */
static void test_database_is_away(void **state)
{
    (void)state;
    tell_redis("SET open-webui:auth:token:j1:revoked 1");
    config.database_socket = "/proc/none/mariadb.sock";
    database_close();
    assert_int_equal(call_with(GOOD_TOKEN), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_false(identity.drop_cookies);
    assert_int_equal(call_with(TEXT(KEY)), FAULT);

    config.database_socket = mariadb.socket;
    database_close();
    assert_good(token_of("{\"id\":\"u1\",\"jti\":\"j2\",\"exp\":1800000500}"));
    ASSERT_ENDED(GOOD_TOKEN);
}

static void test_trusted_email(void **state)
{
    static const char *const same[] = {NULL, "", " \t", "\xc3\x84nne@example.org", " \xc3\xa4NNE@Example.ORG "};
    static const char *const others[] = {"anne@example.org", "ben@example.org", "nne@example.org", "x"};
    struct credentials credentials = {.cookie = GOOD_TOKEN};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        credentials.trusted_email = text_of(same[i]);
        assert_int_equal(call(&credentials), OK);
    }
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        credentials.trusted_email = text_of(others[i]);
        assert_refused(call(&credentials), ERROR_INVALID_TOKEN, 401, true);
    }
}

/* ---- API keys ---- */

static void test_keys_switched(void **state)
{
    (void)state;
    add_key("u1", KEY);
    add_key("a1", "sk-admin");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    assert_refused(call_with(TEXT("sk-admin")), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    configure("{" ALL_MAY "}");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);

    configure("{" KEYS_ON "}");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    assert_int_equal(call_with(TEXT("sk-admin")), OK);
    assert_true(text_is(identity.user_id, "a1"));

    /* By a group, and not by somebody else's. */
    execute("INSERT INTO `group` (id, user_id, name, permissions) VALUES ('g1', 'a1', 'G', "
            "'{\"features\":{\"api_keys\":true}}')");
    execute("INSERT INTO group_member (id, group_id, user_id) VALUES ('m1', 'g1', 'u2')");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    execute("UPDATE group_member SET user_id = 'u1'");
    assert_int_equal(call_with(TEXT(KEY)), OK);
    execute("DELETE FROM `group`");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    configure("{" KEYS_ON "," ALL_MAY "}");
    assert_int_equal(call_with(TEXT(KEY)), OK);
}

static void test_key(void **state)
{
    (void)state;
    configure("{" KEYS_ON "," ALL_MAY "}");
    add_key("u1", KEY);
    execute("UPDATE api_key SET last_used_at = 1799999000");
    assert_int_equal(call_with(TEXT(KEY)), OK);
    assert_true(identity.is_api_key);
    assert_true(text_is(identity.user_id, "u1"));
    assert_true(text_is(identity.email, "\xc3\x84nne@example.org"));
    assert_true(text_is(identity.name, "\xc3\x84nne"));
    assert_true(text_is(identity.role, "user"));
    assert_int_equal(identity.last_active_at, 1799999990);
    assert_int_equal(identity.key_last_used_at, 1799999000);
    assert_true(text_equal(identity.key_id, ask_text("SELECT id FROM api_key")));
    assert_true(text_is(identity.token, KEY));
    assert_int_equal(identity.expires_at, -1);
    assert_null(identity.jti.data);
    assert_null(identity.session_jti.data);

    assert_int_equal(call(&(struct credentials){.api_key = TEXT(KEY)}), OK);
    assert_true(identity.is_api_key);
    assert_int_equal(call(&(struct credentials){.cookie = TEXT(KEY)}), OK);
    assert_true(identity.is_api_key);

    assert_refused(call_with(TEXT(KEY "0")), ERROR_INVALID_TOKEN, 401, false);
    assert_refused(call_with(TEXT("sk-0123456789ABCDEF0123456789ABCDEF")), ERROR_INVALID_TOKEN, 401, false);
    assert_refused(call_with(TEXT("sk-")), ERROR_INVALID_TOKEN, 401, false);
    assert_refused(call_with(key_store_hash(&context, TEXT(KEY))), ERROR_UNAUTHORIZED, 401, true);

    execute("UPDATE api_key SET expires_at = 1800000001");
    assert_int_equal(call_with(TEXT(KEY)), OK);
    execute("UPDATE api_key SET expires_at = 1800000000");
    assert_refused(call_with(TEXT(KEY)), ERROR_INVALID_TOKEN, 401, false);
    execute("UPDATE api_key SET expires_at = 0");
    assert_refused(call_with(TEXT(KEY)), ERROR_INVALID_TOKEN, 401, false);
}

/* One that was moved over is hashed when it is used, not when it is refused. */
static void test_plain_key(void **state)
{
    (void)state;
    execute("INSERT INTO api_key (id, user_id, `key`) VALUES ('k1', 'u1', '" KEY "')");
    assert_refused(call_with(TEXT(KEY)), ERROR_API_KEY_NOT_ALLOWED, 403, false);
    assert_true(text_is(ask_text("SELECT `key` FROM api_key"), KEY));
    configure("{" KEYS_ON "," ALL_MAY "}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call_with(TEXT(KEY)), OK);
        assert_true(text_is(identity.key_id, "k1"));
        assert_true(text_equal(ask_text("SELECT `key` FROM api_key"), key_store_hash(&context, TEXT(KEY))));
        assert_true(text_is(ask_text("SELECT suffix FROM api_key"), "cdef"));
    }
}

static void assert_paths(const char *const allowed[], const char *const forbidden[])
{
    struct credentials credentials = {.api_key = TEXT(KEY)};

    for (; *allowed != NULL; allowed++) {
        credentials.path = text_of(*allowed);
        if (call(&credentials) != OK) {
            fail_msg("%s: %s", *allowed, error_name(context.problem.code));
        }
    }
    for (; *forbidden != NULL; forbidden++) {
        credentials.path = text_of(*forbidden);
        if (call(&credentials) == OK) {
            fail_msg("%s is allowed", *forbidden);
        }
        assert_refused(PROBLEM, ERROR_API_KEY_ENDPOINT_NOT_ALLOWED, 403, false);
    }
}

#define PATHS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define ANY_PATHS PATHS("/users", "/users/all", "/usersx", "/groups", "/", "")

static void restrict_to(const char *paths)
{
    configure(text_format(context.arena,
                          "{\"auth\":{\"enable_api_keys\":true,\"api_key\":{\"endpoint_restrictions\":true,"
                          "\"allowed_endpoints\":\"%s\"}}," ALL_MAY "}",
                          paths)
                  .data);
}

static void test_listed_paths(void **state)
{
    (void)state;
    add_key("u1", KEY);
    configure("{\"auth\":{\"enable_api_keys\":true,\"api_key\":{\"allowed_endpoints\":\"/users\"}}," ALL_MAY "}");
    assert_paths(ANY_PATHS, PATHS()); /* listed, but not restricted */
    restrict_to("");
    assert_paths(PATHS(), ANY_PATHS);
    restrict_to(" , ,/,//,/api/v2,/ap,/api/users,");
    assert_paths(PATHS(), ANY_PATHS);
    restrict_to("/api/v1");
    assert_paths(ANY_PATHS, PATHS());
    restrict_to("/nothing, /api/v1// ");
    assert_paths(ANY_PATHS, PATHS());
    restrict_to("/api");
    assert_paths(ANY_PATHS, PATHS());
    restrict_to("/users");
    assert_paths(PATHS("/users", "/users/all", "/users/a/b"),
                 PATHS("/usersx", "/user", "/Users", "/groups", "/x/users", "/", ""));
    restrict_to("/auths/admin, /api/v1/users/ ,\\t/groups/id//");
    assert_paths(PATHS("/users", "/users/all", "/groups/id/7", "/groups/id", "/auths/admin/config"),
                 PATHS("/groups", "/groups/idx", "/auths", "/auths/", "/usersx"));
    restrict_to("/api/v1users,/api/v2/users");
    assert_paths(PATHS("/api/v1users/all"), ANY_PATHS);
}

static void test_paths_of_a_key(void **state)
{
    (void)state;
    add_key("u1", KEY);
    configure("{" KEYS_ON "," ALL_MAY "}");
    assert_paths(ANY_PATHS, PATHS());
    execute("UPDATE api_key SET routes = '[\"/users/all\", \"/api/v1/groups\", 7, null]'");
    assert_paths(PATHS("/users/all", "/users/all/x", "/groups", "/groups/id/7"),
                 PATHS("/users", "/users/allx", "/7", "/", ""));
    execute("UPDATE api_key SET routes = '[]'");
    assert_paths(PATHS(), ANY_PATHS);
    execute("UPDATE api_key SET routes = '{\"/users\": true}'");
    assert_paths(PATHS(), ANY_PATHS);
    execute("UPDATE api_key SET routes = 'null'");
    assert_paths(PATHS(), ANY_PATHS);

    /* Both lists must allow it. */
    execute("UPDATE api_key SET routes = '[\"/users\"]'");
    restrict_to("/groups,/users/all");
    assert_paths(PATHS("/users/all"), PATHS("/users", "/groups"));
}

/* ---- Roles ---- */

static void test_roles(void **state)
{
    static const struct {
        const char *role;
        bool verified, admin;
    } rows[] = {{"pending", false, false},
                {"user", true, false},
                {"admin", true, true},
                {"Admin", false, false},
                {"", false, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        execute(text_format(context.arena, "UPDATE user SET role = '%s' WHERE id = 'u1'", rows[i].role).data);
        assert_good(GOOD_TOKEN);
        assert_int_equal(identity_is_verified(&identity), rows[i].verified);
        assert_int_equal(identity_is_admin(&identity), rows[i].admin);
    }
}

/* ---- Last activity ---- */

static void touch(unsigned statements)
{
    new_request();
    identity_touch(&context, &identity);
    assert_int_equal(context.statement_count, statements);
}

#define LAST_ACTIVE ask_integer("SELECT last_active_at FROM user WHERE id = 'u1'")

static void test_touch(void **state)
{
    (void)state;
    assert_good(GOOD_TOKEN);
    touch(0); /* ten seconds ago */
    assert_int_equal(LAST_ACTIVE, NOW - 10);
    context.now_seconds = NOW + 49;
    touch(0);
    context.now_seconds = NOW + 50;
    touch(1);
    assert_int_equal(LAST_ACTIVE, NOW + 50);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u2'"), NOW - 10);

    /* What was read is old by now: another worker was faster. */
    execute("UPDATE user SET last_active_at = 1800000051 WHERE id = 'u1'");
    context.now_seconds = NOW + 60;
    touch(1);
    assert_int_equal(LAST_ACTIVE, NOW + 51);

    assert_good(GOOD_TOKEN);
    config.last_active_interval = 0;
    touch(1);
    assert_int_equal(LAST_ACTIVE, NOW + 60);
}

static void test_touch_session(void **state)
{
    static const char seen[] = "SELECT last_seen_at FROM session WHERE user_id = 'u1'";
    struct text long_token;

    (void)state;
    execute(
        "INSERT INTO session (jti, user_id, last_seen_at) VALUES ('j1', 'u1', 1799999950), ('j2', 'u2', 1799999950)");
    assert_good(GOOD_TOKEN);
    touch(0);
    context.now_seconds = NOW + 10;
    touch(1);
    assert_int_equal(ask_integer(seen), NOW + 10);
    assert_int_equal(ask_integer("SELECT last_seen_at FROM session WHERE user_id = 'u2'"), NOW - 50);
    assert_int_equal(LAST_ACTIVE, NOW - 10);
    execute("UPDATE session SET last_seen_at = 1800000011 WHERE user_id = 'u1'"); /* another worker was faster */
    touch(1);
    assert_int_equal(ask_integer(seen), NOW + 11);
    assert_good(GOOD_TOKEN);
    touch(0);

    /* A name that is longer than the column. */
    execute("DELETE FROM session");
    long_token = token_of(text_format(context.arena, "{\"id\":\"u1\",\"jti\":\"%0300d\",\"exp\":1800000500}", 7).data);
    assert_good(long_token);
    assert_int_equal(
        session_store_end_everywhere(&context, TEXT("u1"), (struct kept_session){identity.jti, 1800000500}, false), OK);
    execute("UPDATE session SET last_seen_at = 1");
    assert_good(long_token);
    touch(1);
    assert_int_equal(ask_integer(seen), NOW + 10);
}

static void test_touch_key(void **state)
{
    static const char used[] = "SELECT last_used_at FROM api_key WHERE user_id = 'u1'";

    (void)state;
    configure("{" KEYS_ON "," ALL_MAY "}");
    add_key("u1", KEY);
    add_key("u1", "sk-other");
    execute("UPDATE api_key SET user_id = 'u2' WHERE suffix = 'ther'");
    assert_int_equal(call_with(TEXT(KEY)), OK);
    touch(1);
    assert_int_equal(ask_integer(used), NOW);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM api_key WHERE last_used_at IS NOT NULL"), 1);
    assert_int_equal(LAST_ACTIVE, NOW - 10);

    assert_int_equal(call_with(TEXT(KEY)), OK);
    context.now_seconds = NOW + 59;
    touch(1); /* the user, not the key */
    assert_int_equal(ask_integer(used), NOW);
    assert_int_equal(LAST_ACTIVE, NOW + 59);
    context.now_seconds = NOW + 60;
    touch(2);
    assert_int_equal(ask_integer(used), NOW + 60);
    assert_int_equal(LAST_ACTIVE, NOW + 59);

    execute("UPDATE api_key SET last_used_at = 1800000061 WHERE user_id = 'u1'"); /* another worker was faster */
    context.now_seconds = NOW + 65;
    touch(2);
    assert_int_equal(ask_integer(used), NOW + 61);
}

#define TEST(function) cmocka_unit_test_setup(function, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_header_forms),
        TEST(test_precedence),
        TEST(test_good_token),
        TEST(test_bad_tokens),
        TEST(test_no_expiry),
        TEST(test_session_row),
        TEST(test_epoch),
        TEST(test_redis),
        TEST(test_redis_is_away),
        TEST(test_redis_is_ahead),
        TEST(test_disabled),
        TEST(test_redis_is_asked_first),
        TEST(test_database_is_away),
        TEST(test_trusted_email),
        TEST(test_keys_switched),
        TEST(test_key),
        TEST(test_plain_key),
        TEST(test_listed_paths),
        TEST(test_paths_of_a_key),
        TEST(test_roles),
        TEST(test_touch),
        TEST(test_touch_session),
        TEST(test_touch_key),
    };

    private_server_need("mariadbd");
    private_server_need("redis-server");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("identity", tests, set_up, tear_down);
}
