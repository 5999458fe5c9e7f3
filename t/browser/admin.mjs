// admin.mjs: the pages for administrators, run by admin.t.
import { readFileSync } from "node:fs";
import { becomes, browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { ada, bob } = facts;
const signedIn = { token: ada.token };
const button = (page, name) => page.getByRole("button", { name, exact: true });
const rows = (page) => page.locator("tbody tr");
const cells = (page, column) => page.locator(`tbody tr > :nth-child(${column})`).allTextContents();

// Signs in elsewhere: the status, and the code of the error.
async function signIn({ email, password, new_password }) {
    const answer = await fetch(`${facts.url}/api/v1/auths/signin`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email, password, new_password }) });
    return [answer.status, (await answer.json()).code ?? ""];
}

await browse("people", async (page) => {
    await page.goto("/admin/");
    await sees(page, "1–30 of 143");
    await sees(page, /^\d\d years ago$/);
    await look(page, "people");
    await page.getByRole("searchbox").fill("many 14");
    await sees(page, "1–2 of 2");
    await button(page, "Name").click();
    await page.locator("th[aria-sort=ascending]").waitFor();
    await page.waitForFunction(() => document.querySelector("tbody td:nth-child(2)").textContent === "Many 14");
    is(await cells(page, 2), ["Many 14", "Many 140"], "searched, and sorted by name");
    await page.reload();
    await sees(page, "1–2 of 2");
    is(await cells(page, 2), ["Many 14", "Many 140"], "the address has all of it");
    await page.getByRole("searchbox").fill("");
    await sees(page, "1–30 of 143");
    await button(page, "Next").click();
    await sees(page, "31–60 of 143");
    await page.getByRole("combobox", { name: "Role" }).selectOption("admin");
    await sees(page, "1–1 of 1");
    await page.getByRole("searchbox").fill("zzz");
    await sees(page, "Nothing found.");
    await page.goto("/admin/?group=readers&disabled=false");
    await sees(page, "Nothing found.");
    await page.goto("/admin/");
    await page.getByText("Columns").click();
    await page.getByLabel("Email address").uncheck();
    is(await page.getByRole("columnheader", { name: "Email address" }).count(), 0, "a column is hidden");
    await page.reload();
    await sees(page, "1–30 of 143");
    is(await page.locator("tbody tr").first().getByRole("cell").count(), 7, "... and stays so");
    await page.evaluate(() => localStorage.clear());
}, signedIn);

await browse("changes of many", async (page) => {
    await page.goto("/admin/?role=pending");
    await page.getByLabel("Choose all on this page").check();
    await sees(page, "30 chosen");
    await button(page, "Next").click();
    await sees(page, "31–60 of 140");
    await page.getByLabel("Choose: Many", { exact: false }).first().check();
    await sees(page, "31 chosen");
    await look(page, "people-chosen");
    await button(page, "All 140 found").click();
    await sees(page, "140 chosen");
    await page.getByLabel("What to do").selectOption({ label: "Role: user" });
    await button(page, "Check…").click();
    await sees(page, "Changed: 140. Already so: 0. Not possible: 0.");
    await look(page, "people-preview");
    await page.getByRole("dialog").getByRole("button", { name: "Role: user" }).click();
    await sees(page, "Role: user: 140 changed, 0 not.");
    await sees(page, "Nothing found.");
    await look(page, "people-done");
    await button(page, "Undo").click();
    await sees(page, "140 are as before.");
    await sees(page, "1–30 of 140"); // the page that was there had become empty
    await page.goto("/admin/?role=admin");
    await page.getByLabel("Choose: Ada Lovelace").check();
    await page.getByLabel("What to do").selectOption({ label: "Delete" });
    await button(page, "Check…").click();
    await sees(page, "Ada Lovelace: The primary administrator can't be deleted.");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    ok(true, "who is refused is told before");
}, signedIn);

await browse("new people", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto("/admin/");
    await button(page, "Add people").click();
    const dialog = page.getByRole("dialog"), create = dialog.getByRole("button", { name: "Create", exact: true });
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Grace Hopper");
    await page.getByRole("textbox", { name: "Email address" }).fill("no address");
    await create.click();
    await sees(page, "This is not an email address.");
    await look(page, "people-new");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await button(page, "Add people").click();
    is(await page.getByRole("textbox", { name: "Name", exact: true }).inputValue(), "Grace Hopper", "what was typed stays when the dialog is closed");
    await page.getByRole("textbox", { name: "Email address" }).fill("grace@example.org");
    await create.click();
    await sees(page, /^1 created\./);
    const password = await dialog.locator("code").textContent();
    ok(/^[a-z0-9]{4}(-[a-z0-9]{4}){3}$/.test(password), "the password that was made is shown", password);
    is(await signIn({ email: "grace@example.org", password }), [403, "PASSWORD_CHANGE_REQUIRED"], "it is good for one sign-in");
    is(await signIn({ email: "grace@example.org", password, new_password: "another good battery" }), [200, ""], "... which sets another one");

    const many = page.getByRole("textbox", { name: "Many at once" }), check = button(page, "Check…");
    await check.click();
    await sees(page, "Please fill this in.");
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByLabel("CSV file").click()]);
    await chooser.setFiles({ name: "people.csv", mimeType: "text/csv", buffer: Buffer.from('name;email;role;password\n"Kay;\nAlan";alan@example.org;user\nBob;BOB@example.org;user\n\nNobody;nothing;user\nX;x@example.org;king\nAlan;Alan@example.org;user\nEve;eve@example.org;admin;a password of hers\n') });
    await page.waitForFunction(() => document.querySelector("dialog textarea").value.includes("Kay"));
    await check.click();
    await sees(page, "2 can be created, 4 can’t.");
    const table = dialog.getByRole("group", { name: "Many at once" });
    is(await table.locator("tbody tr").evaluateAll((rows) => rows.map((row) => `${row.cells[0].textContent} ${row.cells[2].textContent}: ${row.cells[4].textContent}`)), [
        "4 BOB@example.org: Another account has this address.", "6 nothing: This is not an email address.", "7 x@example.org: There is no such role.",
        "8 Alan@example.org: This address stands twice.", "2 alan@example.org: ready", "9 eve@example.org: ready"], "each line is looked at before anything is sent");
    await look(page, "people-checked");
    await dialog.getByRole("button", { name: "Create (2)" }).click();
    await sees(page, /^2 created\./);
    const [made, given] = await table.locator("code").allTextContents();
    is(given, "", "a password that was given is not shown");
    await dialog.getByRole("button", { name: "Copy" }).last().click();
    await sees(page, "Copied.");
    const csv = `name,email,password\n"Kay; Alan","alan@example.org","${made}"\n`;
    is(await page.evaluate(() => navigator.clipboard.readText()), csv, "the passwords are copied");
    const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("link", { name: "Download them" }).last().click()]);
    is(readFileSync(await download.path(), "utf8"), csv, "... or downloaded");
    await look(page, "people-created");
    is((await signIn({ email: "eve@example.org", password: "a password of hers" }))[1], "PASSWORD_CHANGE_REQUIRED", "a password in the list is good for one sign-in, too");

    // A list as it is pasted, without a head; and the service goes away meanwhile.
    await many.fill("Heidi <heidi@example.org>\nIvan, ivan@example.org, user");
    await dialog.getByLabel("The password has to be changed").last().uncheck();
    await check.click();
    await sees(page, "2 can be created, 0 can’t.");
    await context.setOffline(true);
    await dialog.getByRole("button", { name: "Create (2)" }).click();
    await sees(page, /^0 created\./);
    await context.setOffline(false);
    await dialog.getByRole("button", { name: "Create (2)" }).click();
    await sees(page, /^2 created\./);
    is((await signIn({ email: "ivan@example.org", password: (await table.locator("code").allTextContents())[1] }))[0], 200, "a password that stays");
}, signedIn);

await browse("a person", async (page) => {
    await page.goto(`/admin/person?id=${bob.id}`);
    await sees(page, "Firefox, Linux");
    await page.getByLabel("Name", { exact: true }).fill("Bob B");
    await page.evaluate(async (id) => {
        const { name, email, role, profile_image_url } = await (await fetch(`/api/v1/users/${id}`)).json();
        await fetch(`/api/v1/users/${id}/update`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: `${name} the other`, email, role, profile_image_url }) });
    }, bob.id);
    await button(page, "Save").click();
    await sees(page, "Somebody has changed this meanwhile (name: Bob the other).");
    is(await page.getByLabel("Name", { exact: true }).inputValue(), "Bob B", "what was typed is still there");
    await look(page, "person-changed");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.context().setOffline(true);
    await button(page, "Save").click();
    await sees(page, "The service can't be reached. What you typed is still here.");
    await page.context().setOffline(false);
    await button(page, "End: bob@example.org, Firefox, Linux").click();
    await page.getByText("Firefox, Linux").waitFor({ state: "detached" });
    await button(page, "Remove: bob@example.org, backup").click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("backup").first().waitFor({ state: "detached" });
    await page.getByRole("combobox", { name: "Add to group" }).selectOption("readers");
    await button(page, "Add to group: Bob").click();
    await button(page, "Take out: Readers").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("Bob C");
    await button(page, "Disable: Bob").click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await button(page, "Enable: Bob").waitFor();
    await sees(page, /^disabled$/);
    is(await page.getByLabel("Name", { exact: true }).inputValue(), "Bob C", "what was typed elsewhere on the page stays");
    is(await page.evaluate(() => document.activeElement.textContent), "Enable", "the focus is where it was");
    ok(true, "sessions, keys, groups, and the account");
}, signedIn);

await browse("groups", async (page) => {
    await page.goto("/admin/groups");
    await sees(page, "They read.");
    await page.getByText("chat", { exact: true }).click();
    await page.getByRole("checkbox", { name: "delete", exact: true }).uncheck();
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.getByRole("link", { name: "Readers" }).click();
    await sees(page, "1–1 of 1");
    await page.getByText("chat", { exact: true }).click();
    await page.getByRole("checkbox", { name: "delete", exact: true }).check();
    await look(page, "group");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.getByLabel("Address of a new member").fill("nobody@example.org");
    await button(page, "Add to group").click();
    await sees(page, "There is nobody with this address.");
    await page.getByLabel("Address of a new member").fill("many7@example.org");
    await button(page, "Add to group").click();
    await sees(page, "1–2 of 2");
    await button(page, "Take out: Many 7").click();
    await sees(page, "1–1 of 1");
    await page.goto(`/admin/person?id=${bob.id}`);
    await page.getByText("chat", { exact: true }).click();
    is(await page.getByRole("row", { name: /^delete / }).first().textContent(), "deleteyesReaders", "where a permission comes from");
}, signedIn);

await browse("two administrators of a group", async (page) => {
    await page.goto("/admin/groups?id=readers");
    await page.getByLabel("Description").fill("They write.");
    await page.evaluate(async () => {
        const group = await (await fetch("/api/v1/groups/id/readers")).json();
        await fetch("/api/v1/groups/id/readers/update", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...group, permissions: { chat: { delete: true, share: true } } }) });
    });
    await button(page, "Save").click();
    await sees(page, "Somebody has changed this meanwhile (chat share: true).");
    is(await page.getByLabel("Description").inputValue(), "They write.", "what was typed stays");
    await page.goto("/admin/groups");
    await page.getByText("features", { exact: true }).click();
    await page.getByRole("checkbox", { name: "notes", exact: true }).uncheck();
    await page.evaluate(async () => {
        const permissions = await (await fetch("/api/v1/users/default/permissions")).json();
        permissions.chat.edit = false;
        await fetch("/api/v1/users/default/permissions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(permissions) });
    });
    await button(page, "Save").click();
    await sees(page, "Somebody has changed this meanwhile (chat edit: false).");
}, signedIn);

await browse("settings", async (page) => {
    await page.goto("/admin/settings");
    const address = page.getByLabel("webui url");
    await address.fill("https://app.example");
    is(await page.getByRole("main").getByRole("textbox").count() + await page.getByRole("main").getByRole("checkbox").count() + await page.getByRole("main").getByRole("combobox").count(),
        await page.evaluate(async () => Object.keys(await (await fetch("/api/v1/auths/admin/config")).json()).length), "each setting has a field");
    is(await page.locator(".field p").evaluateAll((all) => all.map((one) => one.textContent.trim()).filter((text) => !/^[A-Z].*\.$/.test(text))), [], "... and says what it is for");
    await look(page, "settings");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.evaluate(async () => {
        const settings = await (await fetch("/api/v1/auths/admin/config")).json();
        await fetch("/api/v1/auths/admin/config", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...settings, WEBUI_URL: "https://other.example", RESPONSE_WATERMARK: null }) });
    });
    await address.fill("https://mine.example");
    await button(page, "Save").click();
    await sees(page, "Somebody has changed this meanwhile (webui url: https://other.example, response watermark: null).");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    const { WEBUI_URL, RESPONSE_WATERMARK } = await (await page.request.get("/api/v1/auths/admin/config")).json();
    is([WEBUI_URL, RESPONSE_WATERMARK], ["https://mine.example", null], "what was null and is still empty stays null");
}, signedIn);

await browse("sessions and keys", async (page) => {
    await page.goto("/admin/sessions");
    const total = Number((await page.getByRole("main").getByRole("status").first().textContent()).match(/of (\d+)/)[1]);
    await look(page, "sessions");
    const seen = new Set();
    const read = async () => { for (const row of await cells(page, 3)) seen.add(row); };
    await read();
    // One begins meanwhile: no page repeats or skips any of the others.
    await signIn(facts.carl);
    for (let first = 31; first <= total; first += 30) {
        await button(page, "Next").click();
        await sees(page, new RegExp(`^${first}–`));
        await read();
    }
    is([...seen].filter((address) => address.startsWith("198.51.100.")).length, 70, "all of them, page behind page");
    await button(page, "Back").click();
    await sees(page, /^31–60 of/);
    await page.getByRole("searchbox").fill("carl@example.org");
    await sees(page, "1–30 of 71");
    is(new URL(page.url()).search, "?query=carl%40example.org", "a search begins with the first page");
    await page.goto("/admin/keys");
    await page.getByRole("searchbox").waitFor();
    await look(page, "keys");
}, signedIn);

await browse("audit", async (page) => {
    await page.goto(`/admin/person?id=${bob.id}`);
    for (const role of ["pending", "user"]) await page.evaluate(async ([{ id, email }, role]) => {
        await fetch(`/api/v1/users/${id}/update`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: "Bob", email, role, profile_image_url: "/user.png" }) });
    }, [bob, role]);
    await page.getByRole("main").getByRole("link", { name: "Audit" }).last().click();
    await page.getByRole("heading", { name: "Bob" }).waitFor();
    await sees(page, /^1–\d+ of \d+$/);
    const row = async (at) => (await rows(page).nth(at).locator("td").allTextContents()).slice(1).map((text) => text.trim());
    const what = async () => [...new Set(await cells(page, 3))], total = async () => (await page.getByRole("status").first().textContent()).split(" ").at(-1);
    const update = "user_update", change = async (at) => (await row(at)).filter((_, i) => i !== 3);
    is(await row(0), ["Ada Lovelace", "role changed", "Bob", `127.0.0.1 ${update}`, "role: pending → user"], "who did what to whom, from where");
    await page.goto("/admin/audit");
    await sees(page, "1–50 of …");
    await look(page, "audit");
    await page.getByRole("combobox", { name: "What" }).selectOption("role changed");
    await becomes(what, ["role changed"], "one action alone");
    await button(page, "Next").click();
    await sees(page, /^51–100 of/);
    is((await change(0))[3], "role: user → pending", "the pages go back in time");
    await page.getByRole("searchbox").fill("bob@example.org");
    await becomes(total, "2", "what concerns one person");
    await page.reload();
    await becomes(total, "2", "... by the address of the page");
    await page.getByRole("combobox", { name: "When" }).selectOption("in 1 days");
    await becomes(async () => new URL(page.url()).searchParams.has("since"), true, "since when");
    is(await total(), "2", "... all of them");
    await page.getByRole("searchbox").fill("192.0.2.77");
    await sees(page, "Nothing found.");
    await page.getByRole("searchbox").fill("nobody@example.org");
    await sees(page, "Nothing found.");
    await page.goto("/admin/audit?action=user_add");
    await page.getByRole("searchbox").fill("127.0.0.1");
    await becomes(what, ["account created"], "an address of a client");
    await page.getByRole("searchbox").fill(bob.id);
    await sees(page, "Nothing found.");
}, signedIn);

await browse("erasing a person", async (page) => {
    await page.goto("/admin/person?id=many9");
    await button(page, "Erase: Many 9").click();
    const dialog = page.getByRole("dialog"), erase = dialog.getByRole("button", { name: "Erase" });
    await erase.click();
    await sees(page, "Please fill this in.");
    await dialog.getByLabel("Type many9@example.org to confirm").fill("many8@example.org");
    await page.keyboard.press("Enter");
    await sees(page, "This is not the address.");
    await look(page, "person-erase");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    is((await page.request.get("/api/v1/users/many9")).status(), 200, "nobody is erased without the address");
    await button(page, "Erase: Many 9").click();
    await dialog.getByRole("textbox").fill("Many9@example.org");
    await erase.click();
    await sees(page, /^1–30 of/);
    is((await page.request.get("/api/v1/users/many9")).status(), 400, "with it everything is gone");
    const { entries } = await (await page.request.get("/api/v1/audit?action=user_erase")).json();
    is(entries.map(({ actor_name, subject_id }) => [actor_name, subject_id]), [["Ada Lovelace", "many9"]], "... and the audit says so");
}, signedIn);

await browse("with the keyboard alone", async (page) => {
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    const focused = () => page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
    await page.goto("/admin/");
    await sees(page, /^1–30 of/);
    await page.keyboard.type("many 77");
    await sees(page, "1–1 of 1");
    await press("Enter");
    is(await focused(), "Many 77", "Enter in the search leads to the first row");
    await press("Shift+Tab", "Space");
    await sees(page, "1 chosen");
    await page.getByLabel("What to do").focus();
    await page.keyboard.type("Disable");
    await press("Tab", "Enter");
    await sees(page, "Changed: 1. Already so: 0. Not possible: 0.");
    is(await focused(), "Disable", "the question has the focus");
    await press("Enter");
    await sees(page, "Disable: 1 changed, 0 not.");
    await becomes(focused, "Undo", "... then what takes it back");
    await press("Enter");
    await sees(page, "1 are as before.");
    is(await focused(), "1 are as before.", "... then what came of it");

    await page.goto("/admin/sessions?query=carl@");
    const end = page.getByRole("button", { name: /^End: carl@/ });
    await end.nth(1).focus();
    const total = async () => Number((await page.getByText(/^1–30 of/).textContent()).split(" ").at(-1)), before = await total();
    await page.keyboard.press("Enter");
    await becomes(total, before - 1, "a session ends");
    is(await page.evaluate(() => document.activeElement.closest("tr")?.rowIndex), 2, "... and the focus is in the row that took its place");
}, signedIn);

await browse("status", async (page) => {
    await page.goto("/admin/status");
    await page.waitForFunction(() => document.querySelector("polyline")?.points.length > 2);
    is(await page.locator("figcaption").evaluateAll((all) => all.map((one) => one.textContent.split(":")[0])), ["People active", "Requests a second", "99 % within", "Busy workers", "MariaDB, statements a second", "Redis, connections"], "what is drawn");
    await page.waitForFunction(() => /People active: [1-9]/.test(document.querySelector("figcaption").textContent));
    await sees(page, /^present, /);
    await look(page, "status");
}, signedIn);

await browse("in German", async (page) => {
    for (const path of ["", "groups", "sessions", "keys", "audit", "settings", "status", `person?id=${bob.id}`]) {
        await page.goto(`/admin/${path}`);
        await page.getByRole("heading", { level: 1 }).waitFor();
    }
    await page.goto("/admin/");
    await sees(page, "Personen anlegen");
    await look(page, "people-german");
}, { ...signedIn, language: "de" });

await browse("for others", async (page) => {
    await page.goto("/admin/");
    await sees(page, "Your account may not do this.");
    ok(await page.getByRole("link", { name: "Administration" }).count() === 0, "nobody else is led there");
}, { token: facts.carl.token });
await done();
