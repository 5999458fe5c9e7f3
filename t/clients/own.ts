// own.ts: the client that `rosterctl client' prints, used from TypeScript: t/e2e/53-clients.t compiles this with
// `tsc --strict' and runs it. It calls each of the twenty operations of /users, and what it needs besides.
import { client, RosterError, version } from "./client.js";
import type { Client, NamedKey, PermissionSources, Role, User, UserUpdateBody } from "./client.js";

function check(good: boolean, what: string): void {
    if (!good) {
        throw new Error(`not so: ${what}`);
    }
}

async function fails(work: Promise<unknown>): Promise<RosterError> {
    try {
        await work;
    } catch (error) {
        if (error instanceof RosterError) {
            return error;
        }
        throw error;
    }
    throw new Error("it did not fail");
}

export async function use(base: string, email: string, password: string): Promise<string[]> {
    const session = await client({ base }).sign_in({ email, password });
    if (!("token" in session)) {
        throw new Error(`a second factor is needed: ${session.next_step}`);
    }
    const called: string[] = [];
    const direct = client({ base, token: session.token });
    const roster: Client = new Proxy(direct, {
        get(target, name) {
            called.push(String(name));
            return target[name as keyof Client];
        },
    });

    const added = await direct.user_add({ name: "Typed", email: "own@example.org", password: "a rather long one", role: "user" });
    const group = await direct.group_create({ name: "Own & more", description: "", permissions: { chat: { edit: false } } });
    await direct.group_users_add(group.id, { user_ids: [added.id] });

    const page = await roster.users_list({ query: "own@", order_by: "name", direction: "asc", page: 1 });
    check(page.total === 1 && page.users[0]?.group_ids[0] === group.id, "the list has the user, with the group");
    check((await roster.users_all()).users.length >= 2, "everybody is there");
    check((await roster.users_search({ query: "Typed" })).total === 1, "the search finds one");
    check(Array.isArray(await roster.users_own_groups()), "own groups are a list");
    const edit: boolean = (await roster.users_own_permissions()).chat.edit;
    check(typeof edit === "boolean", "permissions are booleans");
    const defaults = await roster.default_permissions_get();
    await roster.default_permissions_set(defaults);
    const changed = await roster.settings_update({ ui: { theme: "dark" }, more: [1, "two"] });
    check(changed.ui["theme"] === "dark" && Array.isArray(changed["more"]), "settings are free-form");
    check((await roster.settings_get())?.ui["theme"] === "dark", "and kept");
    check((await roster.status_update({ status_emoji: "☕", status_expires_at: 2000000000 })).status_emoji === "☕", "the status is set");
    const own: User = await roster.status_get();
    check(own.status_expires_at === 2000000000, "and kept");
    check((await roster.info_update({ a: { b: [1] } }))["a"] !== undefined, "info is free-form");
    await roster.info_get();
    const user = await roster.user_get(added.id);
    const role: Role = user.role;
    check(role === "user" && user.groups[0]?.name === "Own & more" && user.is_active, "a user with groups");
    const unknown = await fails(roster.user_oauth_sessions(added.id));
    check(unknown.status === 400 && unknown.code === "USER_NOT_FOUND" && unknown.faults.length === 0, "who has no sessions is told so");
    check(unknown.detail === unknown.message && unknown.requestId !== null, "an error has a sentence, and the request's id");
    const picture: Blob = await roster.user_picture(added.id, { initials: true });
    check(picture.type.startsWith("image/svg+xml") && picture.size > 50, "initials are drawn");
    check((await roster.user_active(added.id)).active, "who has just come counts as active");
    const update: UserUpdateBody = { role, name: "Retyped", email: user.email, profile_image_url: user.profile_image_url, password: null };
    check((await roster.user_update(added.id, update)).name === "Retyped", "the name changes");
    check((await roster.user_groups(added.id)).length === 1, "the groups of a user");
    const sources: PermissionSources = await direct.user_permissions(added.id);
    check(sources.chat.edit.from.includes("default"), "where a permission comes from");
    check(await roster.user_delete(added.id), "the user is gone");

    // What goes wrong.
    const invalid = await fails(direct.users_list({ page: "x" as unknown as number }));
    check(invalid.status === 422 && invalid.faults[0]?.loc[1] === "page" && invalid.detail.startsWith("page: "), "faults are a list");
    const nobody = await fails(client({ base, token: "" }).session_get());
    check(nobody.status === 401 && nobody.code === "NOT_AUTHENTICATED", "nobody is signed in without a token");
    const away = await fails(client({ base: "http://127.0.0.1:9" }).ping());
    check(away.status === 0 && away.code === "OFFLINE", "a service that can't be reached");
    for (const id of ["", ".", ".."]) {
        check(await direct.session_end(id).then(() => false, (error) => error instanceof TypeError), `"${id}" is no id`);
    }
    const odd = await fails(direct.user_get("a b?c#d"));
    check(odd.code === "USER_NOT_FOUND", `an id stays one segment: ${odd.status} ${odd.code}`);
    const stop = new AbortController();
    stop.abort();
    const aborted: unknown = await direct.ping({ signal: stop.signal }).catch((error: unknown) => error);
    check(aborted instanceof Error && aborted.name === "AbortError", "a call can be given up");
    check((await direct.ping()).trim() === "pong" && /^\d/.test(version), "text is text");
    const key: Promise<NamedKey[]> = direct.api_keys_list();
    check((await key).length === 0, "lists are lists");
    return called;
}
