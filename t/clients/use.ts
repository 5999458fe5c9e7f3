// use.ts: a client in TypeScript, typed by what openapi-typescript makes of the document: t/e2e/53-clients.t compiles it with
// `tsc --strict` and runs it. It calls each of the twenty operations of /users, and what it needs besides.
import createClient from "openapi-fetch";
import type { components, paths } from "./roster.js";

type Schemas = components["schemas"];

type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

async function must<T>(name: string, answer: Answer<T>): Promise<T> {
    const { data, error, response } = await answer;
    if (data === undefined || !response.ok) {
        throw new Error(`${name}: ${response.status} ${JSON.stringify(error)}`);
    }
    return data;
}

function check(good: boolean, what: string): void {
    if (!good) {
        throw new Error(`not so: ${what}`);
    }
}

export async function use(baseUrl: string, email: string, password: string): Promise<string[]> {
    const called: string[] = [];
    const anonymous = createClient<paths>({ baseUrl });
    const session: Schemas["SignInAnswer"] = await must("sign_in", anonymous.POST("/api/v1/auths/signin", { body: { email, password } }));
    if (!("token" in session)) {
        throw new Error(`a second factor is needed: ${session.next_step}`);
    }
    const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${session.token ?? ""}` } });
    const call = async <T>(name: string, answer: Answer<T>): Promise<T> => {
        called.push(name);
        return must(name, answer);
    };

    const added: Schemas["AddedUser"] = await must("user_add", client.POST("/api/v1/auths/add", {
        body: { name: "Typed", email: "typed@example.org", password: "a rather long one", role: "user" },
    }));
    const params = { path: { user_id: added.id } };
    const group: Schemas["GroupCount"] = await must("group_create", client.POST("/api/v1/groups/create", {
        body: { name: "Typed", description: "", permissions: { chat: { edit: false }, own: { x: true } }, data: { config: { share: true } } },
    }));
    await must("group_users_add", client.POST("/api/v1/groups/id/{group_id}/users/add", {
        params: { path: { group_id: group.id } }, body: { user_ids: [added.id] },
    }));

    const page = await call("users_list", client.GET("/api/v1/users", { params: { query: { query: "typed", order_by: "name", direction: "asc", page: 1 } } }));
    check(page.total === 1 && page.users[0]?.group_ids[0] === group.id, "the list has the user, with the group");
    const everybody = await call("users_all", client.GET("/api/v1/users/all"));
    check(everybody.users.some((one) => one.email === "typed@example.org"), "everybody is there");
    const found = await call("users_search", client.GET("/api/v1/users/search", { params: { query: { query: "typed" } } }));
    check(found.total === 1, "the search finds one");
    const own: Schemas["UserGroup"][] = await call("users_own_groups", client.GET("/api/v1/users/groups"));
    check(Array.isArray(own), "own groups are a list");
    const permissions: Schemas["Permissions"] = await call("users_own_permissions", client.GET("/api/v1/users/permissions"));
    const edit: boolean = permissions.chat.edit;
    check(typeof edit === "boolean", "permissions are booleans");
    const defaults = await call("default_permissions_get", client.GET("/api/v1/users/default/permissions"));
    await call("default_permissions_set", client.POST("/api/v1/users/default/permissions", { body: defaults }));
    const changed = await call("settings_update", client.POST("/api/v1/users/user/settings/update", { body: { ui: { theme: "dark" }, more: [1, "two"] } }));
    check(changed.ui["theme"] === "dark" && Array.isArray(changed["more"]), "settings are free-form");
    const settings: Schemas["Settings"] | null = await call("settings_get", client.GET("/api/v1/users/user/settings"));
    check(settings !== null && settings.ui["theme"] === "dark", "and kept");
    const status = await call("status_update", client.POST("/api/v1/users/user/status/update", { body: { status_emoji: "☕", status_expires_at: 2000000000 } }));
    check(status.status_emoji === "☕", "the status is set");
    await call("status_get", client.GET("/api/v1/users/user/status"));
    const info = await call("info_update", client.POST("/api/v1/users/user/info/update", { body: { a: { b: [1] }, c: "d" } }));
    check(info["c"] === "d", "info is free-form");
    await call("info_get", client.GET("/api/v1/users/user/info"));
    const user = await call("user_get", client.GET("/api/v1/users/{user_id}", { params }));
    const role: Schemas["Role"] = user.role;
    check(role === "user" && user.groups[0]?.name === "Typed" && user.is_active, "a user with groups");
    const missing = await client.GET("/api/v1/users/{user_id}/oauth/sessions", { params });
    called.push("user_oauth_sessions");
    const code: Schemas["Error"]["code"] | undefined = missing.error && !Array.isArray(missing.error.detail) ? (missing.error as Schemas["Error"]).code : undefined;
    check(missing.response.status === 400 && code === "USER_NOT_FOUND", "who has no sessions is told so, with a code");
    const invalid = await client.GET("/api/v1/users", { params: { query: { page: "x" as unknown as number } } });
    const faults = (invalid.error as Schemas["ValidationError"]).detail;
    check(invalid.response.status === 422 && faults[0]?.loc[1] === "page", "faults are a list");
    const picture: Blob = await call("user_picture", client.GET("/api/v1/users/{user_id}/profile/image", { params: { ...params, query: { initials: true } }, parseAs: "blob" })) as unknown as Blob;
    check(picture.type.startsWith("image/svg+xml") && picture.size > 50, "initials are drawn");
    check((await call("user_active", client.GET("/api/v1/users/{user_id}/active", { params }))).active, "who has just come counts as active");
    const update: Schemas["UserUpdateBody"] = { role, name: "Retyped", email: user.email, profile_image_url: user.profile_image_url, password: null };
    check((await call("user_update", client.POST("/api/v1/users/{user_id}/update", { params, body: update }))).name === "Retyped", "the name changes");
    check((await call("user_groups", client.GET("/api/v1/users/{user_id}/groups", { params })))[0]?.permissions?.["own"] !== undefined, "a group's permissions are free-form");
    const done: boolean = await call("user_delete", client.DELETE("/api/v1/users/{user_id}", { params }));
    check(done, "the user is gone");

    // What comes out goes in again.
    const config: Schemas["AdminConfig"] = await must("admin_config_get", client.GET("/api/v1/auths/admin/config"));
    const body: Schemas["AdminConfigBody"] = { ...config, DEFAULT_USER_ROLE: config.DEFAULT_USER_ROLE };
    check((await must("admin_config_set", client.POST("/api/v1/auths/admin/config", { body }))).DEFAULT_USER_ROLE === config.DEFAULT_USER_ROLE, "settings come back");
    return called;
}
