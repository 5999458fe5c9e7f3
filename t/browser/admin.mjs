// admin.mjs: the pages for administrators, run by admin.t.
import { browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { ada, bob } = facts;
const signedIn = { token: ada.token };
const button = (page, name) => page.getByRole("button", { name, exact: true });
const rows = (page) => page.locator("tbody tr");
const cells = (page, column) => page.locator(`tbody tr > :nth-child(${column})`).allTextContents();

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
    await sees(page, "31–60 of 140");
    await page.goto("/admin/?role=admin");
    await page.getByLabel("Choose: Ada Lovelace").check();
    await page.getByLabel("What to do").selectOption({ label: "Delete" });
    await button(page, "Check…").click();
    await sees(page, "Ada Lovelace: The primary administrator can't be deleted.");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    ok(true, "who is refused is told before");
}, signedIn);

await browse("new people", async (page) => {
    await page.goto("/admin/");
    await button(page, "Add people").click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Grace Hopper");
    await page.getByRole("textbox", { name: "Email address" }).fill("no address");
    await button(page, "Create 1").click();
    await sees(page, "This is not an email address.");
    await page.getByRole("textbox", { name: "Email address" }).fill("grace@example.org");
    await button(page, "Create 1").click();
    await sees(page, /Grace Hopper was created\. The password: \S{20}/);
    await page.getByRole("textbox", { name: "Many at once" }).fill('name;email;role\n"Kay, Alan";alan@example.org;user\nBob;BOB@example.org;user\nNobody;nothing;user\nX;x@example.org;king\n');
    await button(page, "Check…").click();
    await sees(page, "There is no such role.");
    await sees(page, "Kay, Alan");
    await button(page, "Create 2").click();
    await sees(page, "1 created.");
    await sees(page, "Another account has this address.");
    await look(page, "people-created");
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
    await sees(page, /Somebody has changed this meanwhile \(Bob the other, bob@example.org, user\)/);
    is(await page.getByLabel("Name", { exact: true }).inputValue(), "Bob B", "what was typed is still there");
    await look(page, "person-changed");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.context().setOffline(true);
    await button(page, "Save").click();
    await sees(page, "The service can't be reached. What you typed is still here.");
    await page.context().setOffline(false);
    await button(page, "End: Firefox, Linux").click();
    await page.getByText("Firefox, Linux").waitFor({ state: "detached" });
    await button(page, "Remove: backup").click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("backup").first().waitFor({ state: "detached" });
    await page.getByRole("combobox", { name: "Add to group" }).selectOption("readers");
    await button(page, "Add to group").click();
    await button(page, "Take out: Readers").waitFor();
    await button(page, "Disable").click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await button(page, "Enable").waitFor();
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

await browse("settings", async (page) => {
    await page.goto("/admin/settings");
    await page.getByLabel("Address of the application").fill("https://app.example");
    await look(page, "settings");
    await button(page, "Save").click();
    await sees(page, "Saved.");
    await page.evaluate(async () => {
        const settings = await (await fetch("/api/v1/auths/admin/config")).json();
        await fetch("/api/v1/auths/admin/config", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...settings, WEBUI_URL: "https://other.example" }) });
    });
    await page.getByLabel("Address of the application").fill("https://mine.example");
    await button(page, "Save").click();
    await sees(page, /changed this meanwhile \(webui url: https:\/\/other.example\)/);
    await button(page, "Save").click();
    await sees(page, "Saved.");
}, signedIn);

await browse("access", async (page) => {
    await page.goto("/admin/access");
    await page.getByRole("searchbox").waitFor();
    await look(page, "access");
    await page.getByRole("link", { name: "API keys" }).click();
    await page.waitForURL("**/access?show=keys");
    await page.getByRole("searchbox").waitFor();
}, signedIn);

await browse("status", async (page) => {
    await page.goto("/admin/status");
    await page.waitForFunction(() => document.querySelector("polyline")?.points.length > 2);
    await look(page, "status");
}, signedIn);

await browse("in German", async (page) => {
    for (const path of ["", "groups", "access", "settings", "status", `person?id=${bob.id}`]) {
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
