// client.mjs: the client of the API, run by client.t in a page of the service.
import { browse, done, facts, is } from "./browser.mjs";

// This runs in the page: what was called, and what did not work.
async function use(bob) {
    const { client, RosterError } = await import("/account/client.js");
    const called = [], wrong = [];
    const direct = client();
    const roster = new Proxy(direct, { get: (target, name) => (called.push(name), target[name]) });
    const check = (good, what) => good || wrong.push(what);
    const fails = (work) => work.then(() => ({}), (error) => error);

    const page = await roster.users_list({ query: "bob@", order_by: "name" });
    check(page.total === 1 && page.users[0].id === bob, "users_list");
    check((await roster.users_all()).users.length === 2, "users_all");
    check((await roster.users_search({ query: "bob@" })).users.length === 1, "users_search");
    check(Array.isArray(await roster.users_own_groups()), "users_own_groups");
    check(typeof (await roster.users_own_permissions()).chat.edit === "boolean", "users_own_permissions");
    const defaults = await roster.default_permissions_get();
    check((await roster.default_permissions_set(defaults)).chat !== undefined, "default_permissions_set");
    check((await roster.settings_update({ ui: { a: 1 } })).ui.a === 1, "settings_update");
    check((await roster.settings_get()).ui.a === 1, "settings_get");
    check((await roster.status_update({ status_emoji: "☕" })).status_emoji === "☕", "status_update");
    check((await roster.status_get()).status_emoji === "☕", "status_get");
    check((await roster.info_update({ b: [2] })).b[0] === 2, "info_update");
    check((await roster.info_get()).b[0] === 2, "info_get");
    const user = await roster.user_get(bob);
    check(user.name === "Bob", "user_get");
    const none = await fails(roster.user_oauth_sessions(bob));
    check(none instanceof RosterError && none.status === 400 && none.code === "USER_NOT_FOUND" && none.detail !== "", "user_oauth_sessions");
    check((await roster.user_picture(bob, { initials: true })).type.startsWith("image/svg+xml"), "user_picture");
    check(typeof (await roster.user_active(bob)).active === "boolean", "user_active");
    const { role, email, profile_image_url } = user;
    check((await roster.user_update(bob, { role, email, profile_image_url, name: "Rob" })).name === "Rob", "user_update");
    check((await roster.user_groups(bob)).length === 0, "user_groups");
    check(await roster.user_delete(bob), "user_delete");

    const invalid = await fails(direct.users_list({ page: "x" }));
    check(invalid.status === 422 && invalid.faults[0].loc[1] === "page" && invalid.requestId !== null, "faults");
    return { called, wrong };
}

await browse("the client", async (page) => {
    await page.goto("/account/");
    const { called, wrong } = await page.evaluate(use, facts.bob.id);
    is(wrong, [], "each operation answers what it should");
    is(called.sort(), ["default_permissions_get", "default_permissions_set", "info_get", "info_update", "settings_get", "settings_update",
        "status_get", "status_update", "user_active", "user_delete", "user_get", "user_groups", "user_oauth_sessions", "user_picture", "user_update",
        "users_all", "users_list", "users_own_groups", "users_own_permissions", "users_search"], "each of the twenty was called");
}, { token: facts.ada.token });

await done();
