/* ctl_token.c: rosterctl token: what a token says, and what the service would say to it. */
#include <json.h>
#include <stdio.h>

#include "auth/identity.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/json.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "store/session_store.h"

struct findings {
    const char *reason; /* why it is refused, NULL: it is not */
    struct buffer json; /* members about the token, each with a comma before it */
};

/* The bytes of base64url without padding (RFC 4648, section 5); the null text where it is none. */
static struct text decode_base64url(struct arena *arena, struct text encoded)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *bytes = arena_alloc(arena, encoded.length + 1);
    size_t length = 0;
    unsigned bits = 0, bit_count = 0;
    for (size_t i = 0; i < encoded.length; i++) {
        const char *place = encoded.data[i] != '\0' ? strchr(alphabet, encoded.data[i]) : NULL;
        if (place == NULL) {
            return (struct text){NULL, 0};
        }
        bits = bits << 6 | (unsigned)(place - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            bytes[length++] = (char)(bits >> bit_count & 0xff);
        }
    }
    bytes[length] = '\0';
    return (struct text){bytes, length};
}

/* The part of a token before its `index`-th dot. */
static struct text segment(struct text token, unsigned index)
{
    const char *start = token.data, *end = token.data + token.length;
    for (;; index--) {
        const char *dot = memchr(start, '.', (size_t)(end - start));
        if (index == 0 || dot == NULL) {
            return index == 0 ? (struct text){start, (size_t)((dot != NULL ? dot : end) - start)}
                              : (struct text){NULL, 0};
        }
        start = dot + 1;
    }
}

static const char *moment(struct invocation *invocation, int64_t seconds)
{
    struct arena *arena = invocation->context.arena;
    int64_t away = seconds - invocation->context.now_seconds;
    int64_t absolute = away < 0 ? -away : away;
    const char *unit = absolute < 120 ? "seconds" : absolute < 7200 ? "minutes" : absolute < 172800 ? "hours" : "days";
    int64_t count = absolute < 120      ? absolute
                    : absolute < 7200   ? absolute / 60
                    : absolute < 172800 ? absolute / 3600
                                        : absolute / 86400;
    return text_format(arena, "%s, %lld %s %s", sheet_time_text(arena, seconds).data, (long long)count, unit,
                       away < 0 ? "ago" : "ahead")
        .data;
}

/* A part of the token as it was decoded, which anybody can forge. */
static void show_part(struct invocation *invocation, struct findings *findings, const char *name, struct text encoded)
{
    struct arena *arena = invocation->context.arena;
    struct text decoded = decode_base64url(arena, encoded);
    json_object *object = decoded.data != NULL && text_is_utf8(decoded) ? json_parse(arena, decoded) : NULL;
    struct text printed = object != NULL ? json_print(arena, object) : (struct text){NULL, 0};
    buffer_add_format(&findings->json, ",\"%s\":", name);
    buffer_add_text(&findings->json, printed.data != NULL ? printed : TEXT("null"));
    ctl_say(invocation, "%-12s%s", name,
            printed.data != NULL ? sheet_clean(arena, printed).data : "(is no base64url of JSON)");
}

static int explain_token(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    struct session_caller caller;
    struct token token;
    json_object *document;
    bool redis_known;
    show_part(invocation, findings, "header", segment(typed, 0));
    show_part(invocation, findings, "payload", segment(typed, 1));
    if (token_verify(context, typed, context->config->secret_key, true, &token) != TOKEN_GOOD) {
        findings->reason = token.reason;
        return EXIT_DONE;
    }
    ctl_say(invocation, "%-12s%s", "signature", "good: signed with this service's key");
    if (token.issued_at >= 0) {
        ctl_say(invocation, "%-12s%s", "issued", moment(invocation, token.issued_at));
    }
    ctl_say(invocation, "%-12s%s", "ends", token.expires_at >= 0 ? moment(invocation, token.expires_at) : "never");

    session_store_ask(context, token.id, token.jti);
    enum outcome outcome = session_store_find(context, token.id, token.jti, &caller);
    bool revoked = session_store_is_revoked(context, token.issued_at, &redis_known);
    if (outcome != OK || config_store_read(context, &document) != OK) {
        return ctl_problem(invocation, "the token");
    }
    if (!caller.found) {
        findings->reason = "its user is gone";
        return EXIT_DONE;
    }
    ctl_say(invocation, "%-12s%s <%s>, %s", "user", sheet_clean(context->arena, caller.name).data,
            sheet_clean(context->arena, caller.email).data, caller.role.data);
    ctl_say(invocation, "%-12s%s", "session",
            caller.has_row ? "signed in here" : "has no row here: issued by another program under the same key");
    if (caller.has_row && caller.revoked) {
        findings->reason = "its session was ended: by a sign-out, a change of password or role, or an administrator";
    } else if (!caller.has_row && caller.sessions_ended_at >= 0 && token.issued_at <= caller.sessions_ended_at) {
        findings->reason =
            "all sessions of this user were ended after it was issued (or it does not say when that was)";
    } else if (revoked) {
        findings->reason = "Redis says that it was revoked";
    } else if (token.expires_at < 0 && config_store_lifetime(context, document) >= 0) {
        findings->reason = "it has no end (`exp'), and the configured lifetime of sessions is not unlimited";
    } else if (!redis_known && context->config->redis_required) {
        findings->reason = "Redis is away, and redis_required is yes";
    }
    return EXIT_DONE;
}

static int explain_key(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    struct key_owner owner;
    if (key_store_find(context, typed, &owner) != OK) {
        return ctl_problem(invocation, "the key");
    }
    if (!owner.found) {
        findings->reason = "there is no such API key";
        return EXIT_DONE;
    }
    ctl_say(invocation, "%-12s%s", "API key", owner.key_id.data);
    ctl_say(invocation, "%-12s%s <%s>, %s", "user", sheet_clean(context->arena, owner.name).data,
            sheet_clean(context->arena, owner.email).data, owner.role.data);
    ctl_say(invocation, "%-12s%s", "ends", owner.expires_at >= 0 ? moment(invocation, owner.expires_at) : "never");
    ctl_say(invocation, "%-12s%s", "paths",
            owner.routes.data != NULL ? sheet_clean(context->arena, owner.routes).data : "all");
    buffer_add_literal(&findings->json, ",\"key_id\":");
    buffer_add_json(&findings->json, owner.key_id);
    if (owner.expires_at >= 0 && owner.expires_at <= context->now_seconds) {
        findings->reason = "the key has expired";
    }
    return EXIT_DONE;
}

/* What the service itself would say: the same function judges every request. */
static int judge(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    const char *path = ctl_option(invocation, "path");
    struct credentials credentials = {.api_key = typed, .path = text_of(path != NULL ? path : "/")};
    struct identity identity;
    enum outcome outcome = identity_authenticate(context, &credentials, &identity);
    enum error_code code = outcome == OK ? ERROR_NONE : context->problem.code;
    if (code == ERROR_API_KEY_ENDPOINT_NOT_ALLOWED && path == NULL) {
        ctl_say(invocation, "%-12s%s", "note", "this key may call listed paths only; --path asks about one");
        code = ERROR_NONE;
    }
    if (code != ERROR_NONE && findings->reason == NULL) {
        findings->reason = context->problem.detail != NULL ? context->problem.detail : error_detail(code);
    }
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, context->arena);
        buffer_add_format(&json, "{\"accepted\":%s,\"code\":", code == ERROR_NONE ? "true" : "false");
        buffer_add_json(&json, text_of(code == ERROR_NONE ? NULL : error_name(code)));
        buffer_add_literal(&json, ",\"reason\":");
        buffer_add_json(&json, text_of(code == ERROR_NONE ? NULL : findings->reason));
        buffer_add_text(&json, buffer_text(&findings->json));
        buffer_add_byte(&json, '}');
        ctl_print(&json);
    }
    if (code != ERROR_NONE) {
        ctl_say(invocation, "REFUSED with %s: %s.", error_name(code), findings->reason);
        return code == ERROR_UNAVAILABLE ? EXIT_AWAY : EXIT_REFUSED;
    }
    ctl_say(invocation, "ACCEPTED.%s",
            text_is(identity.role, "pending") ? " But the role is pending, which may do next to nothing." : "");
    return EXIT_DONE;
}

int command_token(struct invocation *invocation)
{
    struct findings findings = {.reason = NULL};
    struct text typed;
    int status = ask_secret(invocation, "Token", &typed);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text token = text_trim(typed);
    if (text_starts_with(token, "Bearer ")) {
        token = text_trim((struct text){token.data + 7, token.length - 7});
    }
    buffer_init(&findings.json, invocation->context.arena);
    status = text_starts_with(token, "sk-") ? explain_key(invocation, token, &findings)
                                            : explain_token(invocation, token, &findings);
    status = status == EXIT_DONE ? judge(invocation, token, &findings) : status;
    password_wipe(typed);
    return status;
}
