// journey.mjs: what people do in the web interface of Open WebUI with what is Roster's, run by t/clients/interface.t.
import { done, facts, is } from "../browser/browser.mjs";
import { administer, administrator, ask, does, fill, groupOf, me, open, people, press, requests, row, said, sees, settings, token, until, windows } from "./interface.mjs";

const isNew = facts.release === "0.12";
const password = "a long password", another = "another long password";
const page = await open();

const signIn = async (where, email, word) => {
    await where.locator("#email").fill(email);
    await where.locator("#password").fill(word);
    await where.locator("form button[type=submit]").first().click();
};
const isHome = (where) => where.locator("#chat-container").first().waitFor();
const menu = (where) => where.getByLabel("Open User Profile Menu").first().click();
const toast = (where, text) => where.locator("[data-sonner-toast]", { hasText: text }).first().waitFor();
const go = (address, where = page) => where.goto(address);
const onlyIn = (versions, ...step) => versions === isNew && does(...step);
// A window of somebody else.
const enter = async (email, word = password) => {
    const window = await open();
    await window.goto("/auth");
    await signIn(window, email, word);
    await isHome(window);
    return window;
};
const leave = async (window) => {
    windows.splice(windows.indexOf(window), 1);
    await window.context().close();
};

// ---- The first account ----

await does("the first visit of an empty service", async () => {
    await page.goto("/");
    await sees(page, /Get started/i);
});
await does("the first account is an administrator's", async () => {
    await page.getByRole("button", { name: /Get started/i }).click();
    await page.locator("#name").fill("Ada Admin");
    await signIn(page, "ada@example.org", password);
    await isHome(page);
    // a session of its own, which goes on when the window's ends
    administer((await ask("/auths/signin", "", { email: "ada@example.org", password })).token);
    return (await me(page)).role === "admin" && (await settings()).ENABLE_SIGNUP === false;
});
await does("the time zone of the browser is stored", () => until(async () => (await people("ada@"))[0].timezone === "Europe/Vienna"));
await does("what is new is shown once", async () => {
    await press(page, "Okay, Let's Go!");
    await page.waitForTimeout(500);
    await page.reload();
    await isHome(page);
    return !await page.getByText("Okay, Let's Go!").isVisible();
});
await does("sign-out", async () => {
    await menu(page);
    await page.getByText("Sign Out", { exact: true }).click();
    await page.locator("#email").waitFor();
    return !await token(page);
});
await does("a wrong password", async () => {
    await signIn(page, "ada@example.org", "wrong password");
    await page.locator("[data-sonner-toast]").first().waitFor();
    return !await token(page);
});
await does("sign-in", async () => {
    await page.reload();
    await signIn(page, "ADA@example.org", password);
    await isHome(page);
});

// ---- Settings of the service ----

const setting = (label) => page.getByRole("switch", { name: label, exact: true });
await does("sign-up and API keys are switched on, and all other settings stay", async () => {
    const before = await settings();
    await go("/?settings=admin:authentication");
    await setting("New Sign Ups").click();
    await setting("API Keys").click();
    await press(page, "Save");
    await toast(page, /saved/i);
    const after = await settings();
    is(after, { ...before, ENABLE_SIGNUP: true, ENABLE_API_KEYS: true }, "the settings after it");
});
await does("a second save keeps the first", async () => {
    const before = await settings();
    await page.reload();
    await go("/?settings=admin:authentication");
    await page.getByPlaceholder("Enter a title for the pending user info overlay. Leave empty for default.").fill("Wait a moment");
    await page.getByPlaceholder("Enter content for the pending user info overlay. Leave empty for default.").fill("Somebody looks at it.");
    await page.getByPlaceholder("Leave empty to use first admin user").fill("ada@example.org");
    await press(page, "Save");
    await toast(page, /saved/i);
    is(await settings(), { ...before, PENDING_USER_OVERLAY_TITLE: "Wait a moment", PENDING_USER_OVERLAY_CONTENT: "Somebody looks at it.", ADMIN_EMAIL: "ada@example.org" },
        "the settings after it");
});
await does("the general settings, saved twice", async () => {
    const before = await settings();
    await go("/?settings=admin:general");
    for (const key of ["ENABLE_FOLDERS", "ENABLE_NOTES"]) {
        await setting(key === "ENABLE_FOLDERS" ? "Folders" : "Notes").click();
        await press(page, "Save");
        await page.waitForTimeout(300);
        await until(async () => (await settings())[key] !== before[key]);
        before[key] = !before[key];
        is(await settings(), before, `the settings after ${key}`);
    }
});

// ---- Somebody waits ----

const ben = await open();
await does("sign-up of somebody who has to wait", async () => {
    await ben.goto("/auth");
    await press(ben, "Sign up");
    await ben.locator("#name").fill("Ben Waits");
    await signIn(ben, "ben@example.org", password);
    await sees(ben, "Wait a moment");
    await sees(ben, "Somebody looks at it.");
    await sees(ben, "Ada Admin (ada@example.org)");
    return (await me(ben)).role === "pending";
});
await does("an address that is taken", async () => {
    const window = await open();
    await window.goto("/auth");
    await press(window, "Sign up");
    await window.locator("#name").fill("Ben Again");
    await signIn(window, "BEN@example.org", password);
    await window.locator("[data-sonner-toast]").first().waitFor();
    await leave(window);
    return (await people("ben@")).length === 1;
});
await does("the list of users has who waits", async () => {
    await go("/admin/users");
    await row(page, "ben@example.org").getByText(/^pending$/i).waitFor();
});
await does("an administrator lets somebody in", async () => {
    await row(page, "ben@example.org").getByRole("button", { name: "Change User Role" }).click();
    await page.getByLabel("Role", { exact: true }).selectOption("user");
    await press(page, "Save");
    await row(page, "ben@example.org").getByText(/^user$/i).waitFor();
    return (await people("ben@"))[0].role === "user";
});
await does("who waited comes in", async () => {
    // a change of the role has ended the session
    await press(ben, "Check Again");
    await ben.locator("#email, #chat-container").first().waitFor();
    if (await ben.locator("#email").isVisible()) await signIn(ben, "ben@example.org", password);
    await isHome(ben);
});

// ---- People ----

await does("an account for somebody", async () => {
    await press(page, "Add User");
    await page.getByPlaceholder("Enter Your Full Name").fill("Cora Added");
    await page.getByPlaceholder("Enter Your Email").fill("Cora@example.org");
    await page.getByPlaceholder("Enter Your Password").fill(password);
    await press(page, "Save");
    await row(page, "cora@example.org").waitFor();
});
await does("accounts from a list", async () => {
    await press(page, "Add User");
    await press(page, "CSV Import");
    const lines = [...Array(34).keys()].map((n) => `Zed ${n},zed${n}@example.org,${password},${n ? "user" : "pending"}`);
    await page.locator("#upload-user-csv-input").setInputFiles({ name: "people.csv", mimeType: "text/csv", buffer: Buffer.from(["Name,Email,Password,Role", ...lines, ""].join("\n")) });
    await page.locator("form").getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Successfully imported 34 users.").waitFor({ timeout: 60000 });
    await page.keyboard.press("Escape");
    return (await people("zed")).length === 30; // the first page
});
await does("the second page of the list", async () => {
    await go("/admin/users");
    await row(page, "ada@example.org").waitFor();
    await page.getByRole("button", { name: "2", exact: true }).or(page.getByLabel(/Page 2/i)).first().click();
    await row(page, "zed33@example.org").waitFor();
    return await page.locator("tbody tr").count() === 7;
});
await does("sorted by name, both ways", async () => {
    await go("/admin/users");
    await press(page, "Name");
    await until(async () => /Ada Admin/.test(await page.locator("tbody tr").first().innerText()));
    await press(page, "Name");
    return until(async () => /Zed 9/.test(await page.locator("tbody tr").first().innerText()));
});
for (const column of ["Role", "Email", "Last Active", "Created at"]) {
    await does(`sorted by ${column}`, async () => {
        const before = requests.length;
        await press(page, column);
        return until(() => requests.slice(before).some(({ path, status }) => path.startsWith("/api/v1/users/?") && status === 200));
    });
}
await does("a search", async () => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill("zed 3");
    return until(async () => await page.locator("tbody tr").count() === 5);
});
await does("a search that finds nobody, and everybody again", async () => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill("nobody at all");
    if (!await until(async () => await page.locator("tbody tr").count() === 0)) return false;
    await page.getByPlaceholder("Search", { exact: true }).last().fill("");
    return until(async () => await page.locator("tbody tr").count() === 30);
});
const edit = async (email) => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill(email);
    await row(page, email).getByRole("button", { name: "Edit User" }).click();
    await page.getByPlaceholder("Enter New Password").waitFor();
};
await does("name, address and password of somebody are changed", async () => {
    await edit("cora@example.org");
    await page.getByPlaceholder("Enter Your Name").fill("Cora Changed");
    await page.getByPlaceholder("Enter Your Email").fill("Cora.Changed@example.org");
    await page.getByPlaceholder("Enter New Password").fill(another);
    await press(page, "Save");
    return until(async () => (await people("cora.changed@"))[0]?.name === "Cora Changed");
});
let cora;
await does("that password is the one", async () => { cora = await enter("cora.changed@example.org", another); });
await does("an address that somebody else has is refused, and told", async () => {
    await edit("cora.changed@example.org");
    await page.getByPlaceholder("Enter Your Email").fill("ben@example.org");
    await press(page, "Save");
    await page.locator("[data-sonner-toast]").first().waitFor();
    await page.keyboard.press("Escape");
    return (await people("cora"))[0].email === "cora.changed@example.org";
});
await does("a picture of initials for somebody", async () => {
    await page.reload();
    await edit("cora.changed@example.org");
    await press(page, "Initials");
    await press(page, "Save");
    return until(async () => /^\/pictures\//.test((await people("cora"))[0].profile_image_url));
});
await onlyIn(true, "all devices of somebody are signed out", async () => {
    await edit("cora.changed@example.org");
    await press(page, "Sign out all devices");
    await press(page, "Confirm");
    await toast(page, /revoked/i);
    await cora.reload();
    await cora.locator("#email").waitFor();
    await signIn(cora, "cora.changed@example.org", another);
    await isHome(cora);
    await page.keyboard.press("Escape");
});
await onlyIn(true, "what somebody may use", async () => {
    await page.reload();
    await page.getByPlaceholder("Search", { exact: true }).last().fill("cora");
    await row(page, "cora.changed@").getByRole("button", { name: "Preview Access" }).click();
    await sees(page, "No models accessible");
    await sees(page, "No tools accessible");
    await page.keyboard.press("Escape");
});
await does("the card of somebody", async () => {
    await page.reload();
    await page.getByPlaceholder("Search", { exact: true }).last().fill("ben");
    await row(page, "ben@example.org").locator("img").hover();
    await page.getByText(/^(Active|Away)$/).first().waitFor();
});
await does("an account is deleted", async () => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill("zed 33");
    await row(page, "zed33@").getByRole("button", { name: "Delete User" }).click();
    await press(page, "Confirm");
    return until(async () => (await people("zed33@")).length === 0);
});

// ---- Groups ----

const share = () => page.locator("select").filter({ has: page.locator("option", { hasText: "Anyone" }) });
const openGroup = async (name) => {
    await go("/admin/users/groups");
    await page.getByRole("button", { name: new RegExp(`^\\s*${name}\\b`) }).first().click();
    await page.getByPlaceholder("Group Name").waitFor();
};
const addGroup = async (name, description) => {
    await press(page, "New Group");
    await page.getByPlaceholder("Group Name").fill(name);
    await page.getByPlaceholder("Group Description").fill(description);
    await press(page, "Save");
    await toast(page, /created/i);
};
await does("a group", async () => {
    await go("/admin/users/groups");
    await addGroup("Staff", "All who work here");
    return (await groupOf("Staff")).description === "All who work here";
});
await does("its name, description and who may share to it are changed", async () => {
    await openGroup("Staff");
    await page.getByPlaceholder("Group Name").fill("Everybody");
    await page.getByPlaceholder("Group Description").fill("Everybody here");
    await share().selectOption({ label: "Anyone" });
    await press(page, "Save");
    await toast(page, /updated/i);
    const { name, description, data } = await groupOf("Everybody");
    is({ name, description, share: data.config.share }, { name: "Everybody", description: "Everybody here", share: true }, "the group after it");
});
await does("members are added", async () => {
    await openGroup("Everybody");
    await press(page, "Users");
    await page.getByPlaceholder("Search", { exact: true }).last().fill("cora");
    await row(page, "Cora Changed").locator("[role=checkbox], button").first().click();
    return until(async () => (await groupOf("Everybody")).member_count === 1);
});
await does("... and removed", async () => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill("ada");
    await row(page, "Ada Admin").locator("[role=checkbox], button").first().click();
    await until(async () => (await groupOf("Everybody")).member_count === 2);
    await row(page, "Ada Admin").locator("[role=checkbox], button").first().click();
    return until(async () => (await groupOf("Everybody")).member_count === 1);
});
await does("what its members may do", async () => {
    await openGroup("Everybody");
    await press(page, "Permissions");
    if (isNew) await page.getByRole("switch", { name: "Prompts Access" }).click();
    else await page.getByText("Prompts Access", { exact: true }).locator("xpath=..").getByRole("switch").click();
    await press(page, "Save");
    await toast(page, /updated/i);
    const { permissions } = await groupOf("Everybody");
    return permissions.workspace.prompts && (await ask("/users/permissions", await token(cora))).workspace.prompts;
});
await does("the member sees it", async () => {
    await cora.reload();
    await cora.goto("/workspace");
    await sees(cora, "Prompts");
});
await onlyIn(true, "groups below it", async () => {
    for (const [name, above] of [["Team", "Everybody"], ["Crew", "Team"]]) {
        await go("/admin/users/groups");
        await press(page, "New Group");
        await page.getByPlaceholder("Group Name").fill(name);
        await page.locator("#group-parent").click();
        await page.getByPlaceholder("Search parent groups").fill(above);
        await page.getByRole("menuitemradio", { name: above }).last().click();
        await press(page, "Save");
        await toast(page, /created/i);
        if ((await groupOf(name)).parent_group_id !== (await groupOf(above)).id) return false;
    }
});
await onlyIn(true, "members of a group below", async () => {
    await openGroup("Crew");
    await press(page, "Users");
    await page.getByPlaceholder("Search", { exact: true }).last().fill("ben");
    await row(page, "Ben Waits").getByRole("checkbox").click();
    await until(async () => (await groupOf("Crew")).member_count === 1);
    await openGroup("Everybody");
    await press(page, "Users");
    await press(page, "Direct");
    await page.getByRole("button", { name: "Inherited" }).last().click();
    await row(page, "Ben Waits").waitFor();
    await row(page, "Ben Waits").getByText("Everybody / Team / Crew").waitFor();
    return (await ask("/users/permissions", await token(ben))).workspace.prompts;
});
await onlyIn(true, "what a group gives, before it is saved", async () => {
    await openGroup("Team");
    await press(page, "Preview");
    await sees(page, "No models accessible");
    await sees(page, "No knowledge bases accessible");
    await press(page, "Permissions");
    await sees(page, /Parent permissions are inherited/);
});
await onlyIn(true, "a group is moved by hand, and no circle is offered", async () => {
    await go("/admin/users/groups");
    await page.getByRole("group", { name: "Crew" }).getByRole("button").last().dragTo(page.getByRole("group", { name: "Everybody" }));
    await toast(page, /moved/i);
    await openGroup("Everybody");
    await page.locator("#group-parent").click();
    await sees(page, "No groups found");
    return (await groupOf("Crew")).parent_group_id === (await groupOf("Everybody")).id;
});
await onlyIn(true, "a group in the middle goes, and those below go up", async () => {
    await openGroup("Crew");
    await page.locator("#group-parent").click();
    await page.getByRole("menuitemradio", { name: "Team" }).last().click();
    await press(page, "Save");
    await toast(page, /updated/i);
    await openGroup("Team");
    await press(page, "Delete");
    await press(page, "Confirm");
    await toast(page, /deleted/i);
    return (await groupOf("Crew")).parent_group_id === (await groupOf("Everybody")).id;
});
await does("the default permissions", async () => {
    await go("/admin/users/groups");
    const before = await ask("/users/default/permissions", administrator());
    await page.getByText("Default permissions").first().click();
    if (isNew) await page.getByRole("switch", { name: "API Keys" }).click();
    else await page.getByText("API Keys", { exact: true }).locator("xpath=..").getByRole("switch").click();
    await press(page, "Save");
    await toast(page, /updated/i);
    before.features.api_keys = true;
    is(await ask("/users/default/permissions", administrator()), before, "the permissions after it");
});
await onlyIn(true, "... and back to those of a new installation", async () => {
    await page.reload();
    await page.getByText("Default permissions").first().click();
    await press(page, "Reset to Defaults");
    await press(page, "Confirm");
    await toast(page, /reset/i);
    await page.getByRole("switch", { name: "API Keys" }).click();
    await press(page, "Save");
    await toast(page, /updated/i);
    const { features } = await ask("/users/default/permissions", administrator());
    return features.api_keys && features.notes;
});
await does("the default group of new accounts", async () => {
    await go(isNew ? "/?settings=admin:authentication" : "/admin/settings/general");
    await page.locator("select").filter({ has: page.locator("option", { hasText: "Everybody" }) }).selectOption({ label: "Everybody" });
    await press(page, "Save");
    await toast(page, /saved/i);
    const dora = await ask("/auths/add", administrator(), { name: "Dora", email: "dora@example.org", password, role: "user" });
    return (await ask(`/users/${dora.id}/groups`, administrator()))[0]?.name === "Everybody";
});

// ---- One's own account ----

const shows = (where) => where.locator("#tab-account button:text-is('Show')"); // that of the password is the first
const account = async (where) => {
    await go("/?settings=account", where);
    await where.locator("#tab-account").waitFor();
};
const save = async (where) => {
    await where.locator("#tab-account").getByRole("button", { name: "Save", exact: true }).last().click();
    await toast(where, /saved/i);
};
await does("name, text, gender and birthday", async () => {
    await account(ben);
    await ben.getByPlaceholder("Enter your name").fill("Ben Works");
    await ben.getByPlaceholder("Share your background and interests").fill("A text about Ben");
    await ben.locator("#tab-account select").first().selectOption("custom");
    await ben.getByPlaceholder("Enter your gender").fill("other");
    await ben.locator("input[type=date]").fill("1990-02-28");
    await save(ben);
    const { name, bio, gender, date_of_birth } = await me(ben);
    is({ name, bio, gender, date_of_birth }, { name: "Ben Works", bio: "A text about Ben", gender: "other", date_of_birth: "1990-02-28" }, "the profile after it");
});
await does("... stay where only the name is changed", async () => {
    await ben.reload();
    await account(ben);
    await ben.getByPlaceholder("Enter your name").fill("Ben");
    await save(ben);
    const { name, bio, gender, date_of_birth } = await me(ben);
    is({ name, bio, gender, date_of_birth }, { name: "Ben", bio: "A text about Ben", gender: "other", date_of_birth: "1990-02-28" }, "the profile after it");
});
const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
await does("a picture is uploaded", async () => {
    await ben.reload();
    await account(ben);
    await ben.locator("input[type=file]").first().setInputFiles({ name: "p.png", mimeType: "image/png", buffer: Buffer.from(picture, "base64") });
    await ben.waitForTimeout(500);
    await save(ben);
    return /^\/pictures\//.test((await people("ben@"))[0].profile_image_url);
});
await does("... is kept by a save of the account", async () => {
    const before = (await people("ben@"))[0].profile_image_url;
    await ben.reload();
    await account(ben);
    await save(ben);
    return (await people("ben@"))[0].profile_image_url === before;
});
await does("... and removed", async () => {
    await ben.getByRole("button", { name: "Remove", exact: true }).first().click();
    await save(ben);
    return (await people("ben@"))[0].profile_image_url === "/user.png";
});
const status = async (where, message) => {
    await menu(where);
    await where.locator(".user-menu-status button, button:has-text('Update your status')").first().click();
    await where.locator("#status-message").fill(message);
};
await does("a status with an emoji", async () => {
    await go("/", ben);
    await isHome(ben);
    await status(ben, "at work");
    await ben.locator("form:has(#status-message) svg").first().click();
    await ben.getByPlaceholder("Search all emojis").fill("coffee");
    await ben.locator("img[src*='/assets/emojis/']").first().click();
    await ben.locator("form:has(#status-message)").getByRole("button", { name: "Save" }).click();
    await toast(ben, /updated/i);
    const { status_emoji, status_message } = await me(ben);
    return status_message === "at work" && /coffee/.test(status_emoji);
});
await does("... seen by others", async () => {
    await go("/admin/users");
    await page.getByPlaceholder("Search", { exact: true }).last().fill("ben@");
    await row(page, "ben@example.org").locator("img").hover();
    await sees(page, "at work");
    if (isNew) await sees(page, "A text about Ben");
});
await does("... and cleared", async () => {
    await menu(ben);
    await ben.locator(".user-menu-status button button, button:has-text('at work') button").first().click();
    await toast(ben, /cleared/i);
    return !(await me(ben)).status_message;
});
await onlyIn(true, "variables", async () => {
    await account(ben);
    await press(ben, "Add");
    await ben.getByLabel("Variable key").fill("city");
    await ben.getByLabel("Variable value").fill("Vienna");
    await press(ben, "Done");
    await save(ben);
    is(await ask("/users/user/variables", await token(ben)), { variables: { city: "Vienna" } }, "the variables after it");
    await ben.reload();
    await account(ben);
    await sees(ben, "Vienna");
    await press(ben, "Edit");
    await press(ben, "Delete");
    await save(ben);
    is(await ask("/users/user/variables", await token(ben)), { variables: {} }, "... and after they were removed");
});
await does("an API key is made", async () => {
    await account(ben);
    await shows(ben).last().click();
    await ben.getByText(/create new secret key/i).first().click();
    await toast(ben, /created/i);
    const key = await ben.locator("#tab-account input").evaluateAll((all) => all.map(({ value }) => value).find((value) => /^sk-/.test(value)));
    return key !== undefined && (await ask("/users/user/info", key)) === null && (await fetch(`${facts.url}/api/v1/users/groups`, { headers: { Authorization: `Bearer ${key}` } })).ok;
});
await does("... shown", async () => {
    await ben.reload();
    await account(ben);
    await shows(ben).last().click();
    return until(() => ben.locator("#tab-account input").evaluateAll((all) => all.some(({ value }) => /^sk-/.test(value))));
});
await onlyIn(true, "... and deleted", async () => {
    await ben.getByLabel("More").last().click();
    await ben.getByRole("button", { name: "Delete", exact: true }).or(ben.getByText("Delete", { exact: true })).last().click();
    await ben.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    return until(async () => await ask("/auths/api_key", await token(ben)) === null);
});
const changePassword = async (where, old, fresh) => {
    await account(where);
    await shows(where).first().click();
    await where.getByPlaceholder("Enter your current password").fill(old);
    await where.getByPlaceholder("Enter your new password").fill(fresh);
    await where.getByPlaceholder("Confirm your new password").fill(fresh);
    await where.getByRole("button", { name: /update password/i }).click();
};
await does("a change of the password with a wrong one", async () => {
    await changePassword(ben, "wrong password", another);
    await ben.locator("[data-sonner-toast]").first().waitFor();
    return (await me(ben)).name === "Ben";
});
await does("a change of the password", async () => {
    await ben.reload();
    await changePassword(ben, password, another);
    await toast(ben, /updated|password/i);
    return until(async () => await ask("/auths/signin", "", { email: "ben@example.org", password: another }) !== null);
});
await does("sign-in with the new password", async () => {
    await go("/auth", ben);
    await ben.locator("#email, #chat-container").first().waitFor();
    if (await ben.locator("#email").isVisible()) await signIn(ben, "ben@example.org", another);
    await isHome(ben);
});

// ---- Settings of the interface ----

const own = async (where) => (await ask("/users/user/settings", await token(where)))?.ui ?? {};
await does("settings of the interface are kept", async () => {
    await go("/?settings=interface", ben);
    await ben.getByRole("switch", { name: "Widescreen Mode" }).click();
    await until(async () => (await own(ben)).widescreenMode === true);
    await go("/?settings=general", ben);
    await ben.reload();
    await go("/?settings=interface", ben);
    await ben.getByRole("switch", { name: "Widescreen Mode", checked: true }).waitFor();
    return (await own(ben)).widescreenMode === true;
});
await does("... and a system prompt beside them", async () => {
    await go("/?settings=general", ben);
    await ben.getByPlaceholder("Enter system prompt here").fill("Be brief");
    await press(ben, "Save");
    await toast(ben, /saved/i);
    const ui = await own(ben);
    return ui.system === "Be brief" && ui.widescreenMode === true;
});
await onlyIn(true, "an administrator's defaults of the interface", async () => {
    const before = await settings();
    await ask("/auths/admin/config", administrator(), { ...before, DEFAULT_INTERFACE_SETTINGS: { chatBubble: false, widescreenMode: false } });
    await go("/?settings=interface", ben);
    const bubbles = ben.getByRole("switch", { name: /bubble/i });
    await bubbles.waitFor();
    return await bubbles.isChecked() === false && await ben.getByRole("switch", { name: "Widescreen Mode" }).isChecked();
});

// ---- The end of it ----

await does("who is made to wait again is told so", async () => {
    await go("/admin/users");
    await page.getByPlaceholder("Search", { exact: true }).last().fill("ben@");
    await row(page, "ben@example.org").getByRole("button", { name: "Change User Role" }).click();
    await page.getByLabel("Role", { exact: true }).selectOption("pending");
    await press(page, "Save");
    await until(async () => (await people("ben@"))[0].role === "pending");
    await ben.goto("/");
    await ben.locator("#email").waitFor();
    await signIn(ben, "ben@example.org", another);
    await sees(ben, "Wait a moment");
});
await does("who is deleted is signed out", async () => {
    await page.getByPlaceholder("Search", { exact: true }).last().fill("cora");
    await row(page, "cora.changed@").getByRole("button", { name: "Delete User" }).click();
    await press(page, "Confirm");
    await until(async () => (await people("cora")).length === 0);
    await cora.goto("/");
    await cora.locator("#email").waitFor();
});
await does("sign-up is switched off", async () => {
    await ask("/auths/admin/config", administrator(), { ...await settings(), ENABLE_SIGNUP: false });
    const window = await open();
    await window.goto("/auth");
    await window.locator("#email").waitFor();
    const isOffered = await window.getByRole("button", { name: "Sign up" }).isVisible();
    await leave(window);
    return !isOffered;
});

// ---- What was asked, and said ----

// What the interface is prepared for: who isn't, or is no longer, signed in; who has no key; a wrong password; an address that
// is taken; and settings of OAuth, which Roster has not, so that the interface leaves them out.
const expected = [[401, /^\/api\/v1\/auths\/$/], [404, /\/auths\/api_key$/], [400, /\/auths\/(signin|signup|update\/password)$/], [400, /\/users\/[^/]+\/update$/],
    [404, /\/auths\/admin\/config\/oauth$/]];
is(requests.filter(({ status, path }) => status >= 400 && !expected.some(([known, paths]) => status === known && paths.test(path))), [],
    "no answer is an error that the interface did not mean");
is(said.filter((line) => !/Failed to load resource/.test(line)), [], "the console is empty");
await done();
