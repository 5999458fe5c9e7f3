/* ctl_client.c: rosterctl client: a client of the API in JavaScript, and its types, from the tables. */
#include <stdio.h>
#include <string.h>

#include "base/permission_table.h"
#include "base/problem.h"
#include "ctl/ctl.h"
#include "worker/openapi_schema.h"
#include "worker/router.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* ---- JavaScript ----
 *
 * The module is sent to browsers, so it is short: a row per route, and one function that makes the methods. */

static const char head[] =
    "// client.js: Roster's API, a function for each route: client({ base, token }).users_list({ query: \"ada\" }).\n"
    "// Arguments: those of the path, the body, the query, and { signal, headers }. Whatever fails is a RosterError.\n";

static const char tail[] =
    "export class RosterError extends Error {\n"
    "\tconstructor(status, code, detail, more) {\n"
    "\t\tsuper(detail);\n"
    "\t\tObject.assign(this, { name: \"RosterError\", status, code, detail, faults: [], retryAfter: null, requestId: "
    "null, "
    "...more });\n"
    "\t}\n"
    "}\n"
    "\n"
    "// JSON, a Blob (a picture), or text.\n"
    "function read(response) {\n"
    "\tconst type = response.headers.get(\"Content-Type\") ?? \"\";\n"
    "\treturn type.startsWith(\"application/json\") ? response.json() : type.startsWith(\"image/\") ? response.blob() "
    ": "
    "response.text();\n"
    "}\n"
    "\n"
    "async function refusal(response) {\n"
    "\tconst { code = \"UNKNOWN\", detail } = (await read(response).catch(() => null)) ?? {};\n"
    "\tconst faults = Array.isArray(detail) ? detail : [];\n"
    "\tconst text = faults.map(({ loc, msg }) => `${loc.slice(1).join(\".\")}: ${msg}`).join(\"; \") || (detail ?? "
    "`The server answered ${response.status}.`);\n"
    "\treturn new RosterError(response.status, code, text, { faults,\n"
    "\t\tretryAfter: Number(response.headers.get(\"Retry-After\")) || null, requestId: "
    "response.headers.get(\"X-Request-Id\") });\n"
    "}\n"
    "\n"
    "// An empty segment, or one of dots, would make it another path.\n"
    "function segment(name, value) {\n"
    "\tif (/^(undefined|null|\\.{0,2})$/.test(value)) throw new TypeError(`${name} is missing`);\n"
    "\treturn encodeURIComponent(value);\n"
    "}\n"
    "\n"
    "// base: the address of the service. token: a session's, or an API key. Neither: this page's host, and its "
    "cookie.\n"
    "export function client({ base = \"\", token, fetch = globalThis.fetch } = {}) {\n"
    "\tconst functions = {};\n"
    "\tlet under;\n"
    "\tfor (const line of routes.trim().split(\"\\n\")) {\n"
    "\t\tconst [, name, method = \"GET\", end, takes] = /^(\\w+) (?:([A-Z]+) )?(\\S*) ?(.*)$/.exec(line) ?? [];\n"
    "\t\tif (!name) under = line;\n"
    "\t\telse functions[name] = ask.bind(null, method, under + end, takes);\n"
    "\t}\n"
    "\tasync function ask(method, path, takes, ...given) {\n"
    "\t\tlet url = base + (takes.includes(\"/\") ? \"\" : \"/api/v1\") + path.replace(/{(\\w+)}/g, (_, "
    "parameter) => segment(parameter, given.shift()));\n"
    "\t\tconst body = takes.includes(\"!\") ? JSON.stringify(given.shift() ?? {}) : undefined;\n"
    "\t\tconst query = takes.includes(\"?\") ? Object.entries(given.shift() ?? {}).filter(([, value]) => (value "
    "?? null) !== null) : [];\n"
    "\t\tif (query.length) url += `?${new URLSearchParams(query)}`;\n"
    "\t\tconst { signal, headers } = given.shift() ?? {};\n"
    "\t\tconst response = await fetch(url, { method, body, signal, headers: { Accept: \"application/json\", "
    "...body && { \"Content-Type\": \"application/json\" },\n"
    "\t\t\t...token && { Authorization: `Bearer ${token}` }, ...headers } }).catch((cause) => {\n"
    "\t\t\tthrow cause?.name === \"AbortError\" ? cause : new RosterError(0, \"OFFLINE\", \"The service can't be "
    "reached.\", { cause });\n"
    "\t\t});\n"
    "\t\tif (!response.ok) throw await refusal(response);\n"
    "\t\treturn read(response);\n"
    "\t}\n"
    "\treturn functions;\n"
    "}\n";

/* What the path begins with, up to its last slash, stands in a line of its own where it is another than before. */
static void add_route(struct buffer *out, const struct route *route, struct text *under)
{
    const char *marks[] = {route->body != SCHEMA_NONE ? "!" : "", route->query != SCHEMA_NONE ? "?" : "",
                           route->place == PLACE_AT_ROOT ? "/" : ""};
    struct text start = {route->path, (size_t)(strrchr(route->path, '/') + 1 - route->path)};
    if (!text_equal(start, *under)) {
        *under = start;
        buffer_add_format(out, "%.*s\n", (int)start.length, start.data);
    }
    buffer_add_format(out, "%s %s%s%s", route->name, route->method == METHOD_GET ? "" : method_name(route->method),
                      route->method == METHOD_GET ? "" : " ", route->path + start.length);
    if (marks[0][0] + marks[1][0] + marks[2][0] != 0) {
        buffer_add_format(out, " %s%s%s", marks[0], marks[1], marks[2]);
    }
    buffer_add_byte(out, '\n');
}

static void add_module(struct buffer *out)
{
    buffer_add_string(out, head);
    buffer_add_format(out, "export const version = \"%s\";\n\n", PACKAGE_VERSION);
    buffer_add_string(out, "// A line of what paths begin with; then each: name, method (GET), rest of the path; ! a "
                           "body, ? a query, / not under /api/v1.\nconst routes = `\n");
    struct text under = TEXT("");
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        add_route(out, &routes[i], &under);
    }
    buffer_add_string(out, "`;\n\n");
    buffer_add_string(out, tail);
}

/* ---- Types ---- */

static const char types_head[] =
    "// client.d.ts: the types of client.js. `rosterctl client --types' prints this file.\n"
    "\n"
    "export const version: string;\n"
    "\n"
    "/** What every function takes last. */\n"
    "export interface Options {\n"
    "    signal?: AbortSignal;\n"
    "    headers?: Record<string, string>;\n"
    "}\n"
    "\n"
    "export interface Fault {\n"
    "    /** The kind of fault, as missing or string_type. */\n"
    "    type: string;\n"
    "    /** The place, as [\"body\", \"role\"]. */\n"
    "    loc: (string | number)[];\n"
    "    msg: string;\n"
    "}\n"
    "\n"
    "export class RosterError extends Error {\n"
    "    /** The HTTP status; 0: the service could not be reached. */\n"
    "    readonly status: number;\n"
    "    /** OFFLINE: it could not be reached; UNKNOWN: something else than Roster answered. */\n"
    "    readonly code: ErrorCode | \"OFFLINE\" | \"UNKNOWN\";\n"
    "    /** One plain sentence. */\n"
    "    readonly detail: string;\n"
    "    /** Of VALIDATION_ERROR: each fault; else none. */\n"
    "    readonly faults: Fault[];\n"
    "    /** Seconds to wait, where the service names them. */\n"
    "    readonly retryAfter: number | null;\n"
    "    readonly requestId: string | null;\n"
    "}\n"
    "\n"
    "export interface ClientOptions {\n"
    "    /** The address of the service, as https://users.example.org. Default: that of the page. */\n"
    "    base?: string;\n"
    "    /** The token of a session, or an API key. Without one, the cookie counts. */\n"
    "    token?: string | null;\n"
    "    fetch?: typeof globalThis.fetch;\n"
    "}\n"
    "\n"
    "export function client(options?: ClientOptions): Client;\n"
    "\n"
    "export type Role = \"pending\" | \"user\" | \"admin\";\n"
    "\n"
    "export type FreeObject = { [key: string]: unknown };\n"
    "\n";

/* What is printed, with which value of compatibility. */
struct types {
    struct buffer out;
    enum compatibility compatibility;
};

static void add_comment(struct buffer *out, const char *indent, const char *text)
{
    if (text != NULL) {
        buffer_add_format(out, "%s/** %s */\n", indent, text);
    }
}

/* The permissions of a section, each with the type `each`. */
static void add_section(struct types *types, const char *section, const char *each, bool all_there)
{
    struct buffer *out = &types->out;
    const struct permission_row *row;
    buffer_add_string(out, "{ ");
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (row->since <= types->compatibility && strcmp(row->section, section) == 0) {
            buffer_add_format(out, "%s%s: %s; ", row->key, all_there ? "" : "?", each);
        }
    }
    buffer_add_byte(out, '}');
}

static void add_field_type(struct types *types, const struct field_row *field)
{
    struct buffer *out = &types->out;
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_PASSWORD:
    case FIELD_NAME:
    case FIELD_ADDRESS:
    case FIELD_EMAIL:
    case FIELD_DATE:
        buffer_add_string(out, "string");
        break;
    case FIELD_ROLE:
        buffer_add_string(out, "Role");
        break;
    case FIELD_ACTION:
        for (size_t i = 0; i < AUDIT_ACTION_COUNT; i++) {
            buffer_add_format(out, "%s\"%s\"", i > 0 ? " | " : "", audit_actions[i].name);
        }
        break;
    case FIELD_INTEGER:
        buffer_add_string(out, "number");
        break;
    case FIELD_AMOUNT:
        buffer_add_string(out, "number | string");
        break;
    case FIELD_BOOLEAN:
    case FIELD_STRICT:
        buffer_add_string(out, "boolean");
        break;
    case FIELD_OBJECT:
    case FIELD_OVERLAY: /* a group may have sections of its own */
        buffer_add_string(out, "FreeObject");
        break;
    case FIELD_TEXTS:
        buffer_add_string(out, "string[]");
        break;
    case FIELD_SECTION:
        add_section(types, field->name, "boolean", false);
        break;
    }
}

static void add_fields(struct types *types, const struct schema_row *schema)
{
    struct buffer *out = &types->out;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field_row *field = &schema->fields[i];
        if (field->since > types->compatibility) {
            continue;
        }
        add_comment(out, "    ", field->text);
        buffer_add_format(out, "    %s%s: ", field->name, field_is_required(field, types->compatibility) ? "" : "?");
        add_field_type(types, field);
        buffer_add_string(out, field->needed == FIELD_NULLABLE ? " | null;\n" : ";\n");
    }
}

/* The name of a schema's type, in `name` of `size` bytes: UserUpdateBody, UsersQuery. */
static const char *schema_type(enum schema schema, char *name, size_t size)
{
    openapi_body_name(schema, name, size);
    if (schema_row(schema)->kind == SCHEMA_KIND_QUERY) {
        name[strlen(name) - strlen("Body")] = '\0'; /* its own name ends in query */
    }
    return name;
}

static void add_schema(struct types *types, enum schema schema)
{
    struct buffer *out = &types->out;
    const struct schema_row *row = schema_row(schema);
    char name[64];
    add_comment(out, "", row->text);
    buffer_add_format(out, "export interface %s {\n", schema_type(schema, name, sizeof name));
    add_fields(types, row);
    if (row->kind == SCHEMA_KIND_EXTRA || row->kind == SCHEMA_KIND_FREE) {
        buffer_add_string(out, "    [key: string]: unknown;\n");
    }
    buffer_add_string(out, "}\n\n");
}

static void add_member(void *argument, const struct member *member)
{
    struct types *types = argument;
    struct buffer *out = &types->out;
    add_comment(out, "    ", member->text);
    buffer_add_format(out, "    %s%s: ", member->name, member->may_be_absent ? "?" : "");
    const char *of = member->of != SHAPE_NONE ? shape_row(member->of)->name : "boolean";
    switch (member->type) {
    case MEMBER_TEXT:
    case MEMBER_DATE:
        buffer_add_string(out, "string");
        break;
    case MEMBER_ROLE:
        buffer_add_string(out, "Role");
        break;
    case MEMBER_INTEGER:
        buffer_add_string(out, "number");
        break;
    case MEMBER_AMOUNT:
        buffer_add_string(out, "number | string");
        break;
    case MEMBER_BOOLEAN:
        buffer_add_string(out, "boolean");
        break;
    case MEMBER_TEXTS:
        buffer_add_string(out, "string[]");
        break;
    case MEMBER_FREE:
        buffer_add_string(out, "FreeObject");
        break;
    case MEMBER_SHAPE:
        buffer_add_string(out, of);
        break;
    case MEMBER_LIST:
        buffer_add_format(out, "%s[]", of);
        break;
    case MEMBER_SECTION:
        add_section(types, member->name, of, true);
        break;
    }
    buffer_add_string(out, member->may_be_null ? " | null;\n" : ";\n");
}

static void add_shape(struct types *types, enum shape shape)
{
    struct buffer *out = &types->out;
    const struct shape_row *row = shape_row(shape);
    add_comment(out, "", row->text);
    if (row->kind == SHAPE_KIND_OBJECT) {
        buffer_add_format(out, "export interface %s {\n", row->name);
        shape_each_member(shape, types->compatibility, add_member, types);
        buffer_add_string(out, shape_has_extra(shape) ? "    [key: string]: unknown;\n}\n\n" : "}\n\n");
        return;
    }
    buffer_add_format(out, "export type %s = ", row->name);
    switch (row->kind) {
    case SHAPE_KIND_OBJECT:
        break;
    case SHAPE_KIND_LIST:
        buffer_add_format(out, "%s[]", shape_row(row->of)->name);
        break;
    case SHAPE_KIND_EITHER:
        for (size_t i = 0; shape_either(shape, i) != SHAPE_NONE; i++) {
            buffer_add_format(out, "%s%s", i > 0 ? " | " : "", shape_row(shape_either(shape, i))->name);
        }
        break;
    case SHAPE_KIND_OR_NULL:
        buffer_add_format(out, "%s | null", shape_row(row->of)->name);
        break;
    case SHAPE_KIND_BOOLEAN:
        buffer_add_string(out, "boolean");
        break;
    case SHAPE_KIND_FREE:
        buffer_add_string(out, "FreeObject");
        break;
    case SHAPE_KIND_PLAIN:
        buffer_add_string(out, "string");
        break;
    case SHAPE_KIND_FIELDS: /* a page can't use it: it is for nginx */
        buffer_add_string(out, "string");
        break;
    case SHAPE_KIND_PICTURE:
    case SHAPE_KIND_PORTRAIT:
        buffer_add_string(out, "Blob");
        break;
    }
    buffer_add_string(out, ";\n\n");
}

static bool needs_something(const struct types *types, enum schema schema)
{
    const struct schema_row *row = schema_row(schema);
    for (size_t i = 0; i < row->field_count; i++) {
        if (field_is_required(&row->fields[i], types->compatibility)) {
            return true;
        }
    }
    return false;
}

static void add_function(struct types *types, const struct route *route)
{
    struct buffer *out = &types->out;
    char name[64];
    buffer_add_format(out, "    /** %s: %s %s%s */\n    %s(", route->text, method_name(route->method),
                      route->place == PLACE_UNDER_API ? "/api/v1" : "", route->path, route->name);
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        buffer_add_format(out, "%.*s: string, ", (int)strcspn(at + 1, "}"), at + 1);
    }
    if (route->body != SCHEMA_NONE) {
        /* An argument may be left out only where all that follow may be, too. */
        bool needed = needs_something(types, route->body) ||
                      (route->query != SCHEMA_NONE && needs_something(types, route->query));
        buffer_add_format(out, "body%s: %s, ", needed ? "" : "?", schema_type(route->body, name, sizeof name));
    }
    if (route->query != SCHEMA_NONE) {
        buffer_add_format(out, "query%s: %s, ", needs_something(types, route->query) ? "" : "?",
                          schema_type(route->query, name, sizeof name));
    }
    buffer_add_format(out, "options?: Options): Promise<%s>;\n", shape_row(route->gives)->name);
}

static void add_types(struct types *types)
{
    struct buffer *out = &types->out;
    buffer_add_string(out, types_head);
    buffer_add_string(out, "export type ErrorCode =");
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        buffer_add_format(out, "\n    | \"%s\"", error_name(code));
    }
    buffer_add_string(out, ";\n\n");
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        add_schema(types, schema);
    }
    for (enum shape shape = SHAPE_NONE + 1; shape < SHAPE_COUNT; shape++) {
        add_shape(types, shape);
    }
    buffer_add_string(out, "/** A function for each route. Each throws a RosterError. */\nexport interface Client {\n");
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        add_function(types, &routes[i]);
    }
    buffer_add_string(out, "}\n");
}

int command_client(struct invocation *invocation)
{
    struct types types = {.compatibility = ctl_compatibility(invocation)};
    buffer_init(&types.out, invocation->context.arena);
    if (ctl_has_option(invocation, OPTION_types)) {
        add_types(&types);
    } else {
        add_module(&types.out);
    }
    ctl_print(&types.out);
    return EXIT_DONE;
}
