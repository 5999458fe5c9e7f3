/* check_entry.c: see check_entry.h. */
#include "check/check_entry.h"

#include <string.h>

#include "auth/token.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "base/random.h"
#include "check/http_probe.h"
#include "config/config.h"
#include "store/rows.h"
#include "store/user_store.h"

struct site {
    struct context *context;
    struct findings *findings;
    struct http_target target;
    size_t refused, let_in;
    bool is_gone;
};

/* ---- one request ---- */

/* Refused, by nginx or Roster; led to the sign-in page; or there is no such page. */
static bool is_refused(const struct http_answer *answer)
{
    if (answer->status >= 300 && answer->status < 400) {
        const char *location = answer->location.data;
        return location != NULL && memmem(location, answer->location.length, "/account/sign-in", 16) != NULL;
    }
    return answer->status >= 400 && answer->status < 500;
}

/* `what`: the request in words, for the message. */
static void ask(struct site *site, const char *what, const char *method, const char *path, const char *fields)
{
    struct http_answer answer;
    struct error error;
    if (site->is_gone) {
        return;
    }
    if (!http_probe(site->context->arena, &site->target, method, path, fields, &answer, &error)) {
        findings_add(site->findings, FINDING_ERROR, "%s", error.text);
        site->is_gone = true;
        return;
    }
    if (is_refused(&answer)) {
        site->refused++;
    } else if (answer.status >= 500) {
        findings_add(site->findings, FINDING_WARNING, "%s: answered %d; the log of nginx says why", what,
                     answer.status);
    } else if (answer.status >= 300) {
        findings_add(site->findings, FINDING_WARNING, "%s: leads to %.*s, which was not asked: check that address, too",
                     what, (int)answer.location.length, answer.location.data != NULL ? answer.location.data : "");
    } else {
        findings_add(site->findings, FINDING_ERROR, "%s: let in (%d)", what, answer.status);
        site->let_in++;
    }
}

static void ask_with(struct site *site, const char *what, const char *fields)
{
    ask(site, what, "GET", site->target.path, fields);
}

static size_t start(struct site *site, const char *subject)
{
    findings_begin(site->findings, subject);
    return site->refused;
}

static void end(struct site *site, size_t before, const char *what)
{
    if (!site->is_gone && findings_are_good(site->findings)) {
        findings_add(site->findings, FINDING_GOOD, "%zu %s: all refused", site->refused - before, what);
    }
}

/* ---- the kinds ---- */

static void claim(struct site *site, struct text email)
{
    static const char *const names[] = {
        "Remote-User",         "Remote-Email",         "Remote-Name",
        "Remote-Groups",       "Remote-Role",          "X-Remote-User",
        "X-Forwarded-User",    "X-Forwarded-Email",    "X-Forwarded-Groups",
        "X-Auth-Request-User", "X-Auth-Request-Email", "X-WEBAUTH-USER",
        "X-WEBAUTH-EMAIL",     "X-WEBAUTH-NAME",       "X-WEBAUTH-FULLNAME",
        "X-User-Email",        "X-User-Name",          "X-Forwarded-Preferred-Username"};
    static const char *const others[] = {"Roster-Require: any",
                                         "ROSTER_REQUIRE: any",
                                         "X-Original-URL: /",
                                         "X-Rewrite-URL: /",
                                         "X-Forwarded-Uri: /",
                                         "X-Forwarded-For: 127.0.0.1",
                                         "X-Real-IP: 127.0.0.1",
                                         "X-HTTP-Method-Override: HEAD",
                                         "Sec-Fetch-Mode: cors",
                                         "X-Accel-Redirect: /",
                                         "Authorization: Basic cm9vdDpyb290",
                                         "Forwarded: for=127.0.0.1;host=localhost"};
    struct arena *arena = site->context->arena;
    size_t before = start(site, "claims");
    for (size_t i = 0; i < 2 * ARRAY_COUNT(names); i++) {
        struct text name = text_copy(arena, text_of(names[i / 2]));
        for (size_t at = 0; i % 2 == 1 && at < name.length; at++) {
            ((char *)name.data)[at] = name.data[at] == '-' ? '_' : name.data[at];
        }
        ask_with(site, text_format(arena, "the header field %s", name.data).data,
                 text_format(arena, "%s: %.*s\r\n", name.data, (int)email.length, email.data).data);
    }
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        ask_with(site, text_format(arena, "the header field %s", others[i]).data,
                 text_format(arena, "%s\r\n", others[i]).data);
    }
    end(site, before, "header fields that claim something");
}

/* In the cookie, and in the two header fields. */
static void show_token(struct site *site, const char *what, struct text token)
{
    static const char *const forms[] = {"Cookie: token=%s\r\n", "Authorization: Bearer %s\r\n", "X-API-Key: %s\r\n"};
    static const char *const places[] = {"cookie", "Authorization", "X-API-Key"};
    struct arena *arena = site->context->arena;
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        const char *percent = strchr(forms[i], '%');
        ask_with(site, text_format(arena, "%s in %s", what, places[i]).data,
                 text_format(arena, "%.*s%.*s%s", (int)(percent - forms[i]), forms[i], (int)token.length, token.data,
                             percent + 2)
                     .data);
    }
}

/* The token again, with a header that says that it is not signed. */
static struct text unsigned_token(struct arena *arena, struct text token)
{
    char head[64];
    static const char header[] = "{\"alg\":\"none\",\"typ\":\"JWT\"}";
    base64_encode(BASE64_URL, (const unsigned char *)header, strlen(header), head);
    text_take(&token, '.');
    struct text payload = text_take(&token, '.');
    return text_format(arena, "%s.%.*s.", head, (int)payload.length, payload.data);
}

static void show_tokens(struct site *site, struct text admin_id)
{
    struct context *context = site->context;
    const int64_t now = context->now_seconds, soon = now + 60;
    const struct text key = context->config->secret_keys.items[0];
    unsigned char bytes[32];
    struct text jti, disabled;
    size_t before = start(site, "tokens");
    random_bytes(bytes, sizeof bytes);
    const struct text foreign =
        token_issue(context, (struct text){(const char *)bytes, sizeof bytes}, admin_id, now, soon, &jti);
    show_token(site, "an expired token", token_issue(context, key, admin_id, now - 7200, now - 3600, &jti));
    show_token(site, "a token of another signer", foreign);
    show_token(site, "a token that is not signed", unsigned_token(context->arena, foreign));
    show_token(site, "a token of nobody", token_issue(context, key, random_uuid(context->arena), now, soon, &jti));
    show_token(site, "an API key that there is not", TEXT("sk-00000000000000000000000000000000"));
    show_token(site, "no token", TEXT("x"));
    if (user_store_a_disabled(context, &disabled) == OK && disabled.data != NULL) {
        show_token(site, "a token of a disabled account", token_issue(context, key, disabled, now, soon, &jti));
    }
    end(site, before, "tokens that are good for nothing");
}

static void spell(struct site *site)
{
    static const char *const methods[] = {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"};
    struct arena *arena = site->context->arena;
    const char *path = site->target.path;
    const struct text bare = {path, strcspn(path, "?")};
    struct text upper = text_copy(arena, bare);
    for (size_t i = 0; i < upper.length; i++) {
        ((char *)upper.data)[i] = ascii_to_upper(upper.data[i]);
    }
    size_t before = start(site, "spellings");
    const char *const paths[] = {
        text_format(arena, "/%s", path).data,
        text_format(arena, "/.%s", path).data,
        text_format(arena, "/%%2e%s", path).data,
        text_format(arena, "/x/..%s", path).data,
        text_format(arena, "/x/%%2e%%2e%s", path).data,
        text_format(arena, "/%%%02X%s", (unsigned char)path[path[1] != '\0'], path[1] != '\0' ? path + 2 : "").data,
        text_format(arena, "%.*s/", (int)bare.length, bare.data).data,
        text_format(arena, "%.*s/.", (int)bare.length, bare.data).data,
        text_format(arena, "%.*s;x", (int)bare.length, bare.data).data,
        text_format(arena, "%.*s%%20", (int)bare.length, bare.data).data,
        text_format(arena, "%.*s/x.php", (int)bare.length, bare.data).data,
        text_format(arena, "%.*s?x=1&roster_require=any", (int)bare.length, bare.data).data,
        upper.data,
        text_format(arena, "http://%s%s", site->target.authority, path).data,
    };
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        ask(site, paths[i], "GET", paths[i], "");
    }
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        ask(site, methods[i], methods[i], path, "");
    }
    end(site, before, "other spellings and methods");
}

void check_entry(struct context *context, const char *url, struct findings *findings)
{
    struct site site = {.context = context, .findings = findings};
    struct error error;
    struct text admin_id = TEXT_NULL;
    const struct value *admin;
    start(&site, "nobody");
    if (!http_target_read(context->arena, url, &site.target, &error)) {
        findings_add(findings, FINDING_ERROR, "%s", error.text);
        return;
    }
    ask_with(&site, "nobody", "");
    ask_with(&site, "a browser of nobody", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n");
    end(&site, 0, "requests of nobody");
    if (site.let_in > 0) {
        findings_add(findings, FINDING_ERROR,
                     "this page is open to everybody; `nginx -T | rosterctl nginx check --dump -' may say why");
        return;
    }
    bool has_admin = user_store_primary(context, &admin_id) == OK && admin_id.data != NULL &&
                     user_store_get(context, admin_id, &admin) == OK;
    claim(&site, has_admin ? admin[USER_email].text : TEXT("admin@example.org"));
    show_tokens(&site, has_admin ? admin_id : TEXT("admin"));
    spell(&site);
}
