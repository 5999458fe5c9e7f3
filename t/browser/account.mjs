// account.mjs: the pages of a person, run by account.t.
import { readFile } from "node:fs/promises";

import { becomes, browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { ada, bob, changing, limited, pending } = facts;
const NEW = "another good battery";

async function signIn(page, person, password = person.password) {
    await page.getByLabel("Email address").fill(person.email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
}

const atAccount = (page, title = "My account") => page.getByRole("heading", { name: title, level: 1 }).waitFor();
const part = (page, name) => page.getByRole("region", { name, exact: true });

// The answer of the API, asked with the cookie of the window.
const ask = async (page, path) => (await page.request.get(`/api/v1${path}`)).json();

await browse("sign-in", async (page) => {
    await page.goto("/account/?a=1#keys");
    await page.waitForURL("**/account/sign-in?rd=%2Faccount%2F%3Fa%3D1%23keys");
    await page.goto("/");
    await page.waitForURL("**/account/sign-in?rd=%2Faccount%2F");
    await sees(page, "Example users");
    let asked = 0;
    page.on("response", (answer) => { asked += /\/auths\/?$/.test(answer.url()); });
    await page.reload();
    await page.getByLabel("Email address").waitFor();
    is(asked, 1, "who is signed in is asked once");
    await look(page, "sign-in");
    is(await page.evaluate(() => document.activeElement.type), "email", "the first field has the focus");
    await page.keyboard.press("Enter");
    await sees(page, "Please fill this in.");
    await signIn(page, bob, "wrong password");
    await sees(page, "The email address or the password is wrong.");
    is(await page.getByLabel("Email address").inputValue(), bob.email, "what was typed stays");
    await look(page, "sign-in-wrong");
    await page.getByLabel("Password", { exact: true }).fill(bob.password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/account/");
    await atAccount(page);
    is((await page.context().cookies()).find(({ name }) => name === "token").httpOnly, true, "the session is a cookie that no script sees");

    await page.goto("/account/sign-in?rd=%2Faccount%2F%3Fback");
    await sees(page, `You are signed in as ${bob.name}, ${bob.email}.`);
    await look(page, "signed-in");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL("**/account/?back");
    await page.goto(`/account/sign-in?rd=${encodeURIComponent("//evil.example/x")}`);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL((url) => url.pathname !== "/account/sign-in");
    is(new URL(page.url()).origin, facts.url, "an address of somebody else's leads nowhere");

    await page.goto("/account/");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/account/sign-in");
    is((await page.request.get("/api/v1/auths/")).status(), 401, "after signing out the session has ended");
});

await browse("a sign-in once more, with a second factor", async (page) => {
    await page.goto("/account/sign-in?again&rd=/account/?back");
    await sees(page, "The page you want needs a new sign-in with a second factor.");
    await signIn(page, bob);
    await page.waitForURL("**/account/#factor");
    ok(true, "who has no second factor is led to where it is set up");
}, { token: bob.token });

await browse("a password to be changed", async (page) => {
    await page.goto("/account/sign-in");
    await signIn(page, changing);
    await sees(page, "Choose a new password before you go on.");
    await look(page, "sign-in-change");
    // What a page knows is told while somebody types, and not sent.
    const field = page.getByLabel("New password"), meter = page.getByRole("meter", { name: "Strength" });
    let sent = 0;
    page.on("request", (request) => { sent += request.method() === "POST"; });
    for (const [password, told, strength] of [["short", "Too short: 3 more.", 0], [changing.email.toUpperCase(), "Not your name or address.", 0], ["cleo", "Too short: 4 more.", 0],
        ["é".repeat(129), "Too long: at most 256 bytes.", 0], ["aaaaaaaa", "Weak.", 1], ["zaubermaus", "Good.", 3], [NEW, "Strong.", 4]]) {
        await field.fill(password);
        await page.getByText(told, { exact: true }).waitFor();
        is(await meter.evaluate(({ value }) => value), strength, `${password.slice(0, 20)}: ${told}`);
    }
    await field.fill("short");
    await look(page, "password-short");
    await page.getByRole("button", { name: "Sign in" }).click();
    is([await field.getAttribute("aria-invalid"), await field.evaluate((one) => one === document.activeElement), await page.getByText("Too short: 3 more.").filter({ visible: true }).count(), sent], ["true", true, 1, 0],
        "what would be refused is told at the field, and not sent");
    await field.fill("password1");
    is(await field.getAttribute("aria-invalid"), null, "the error goes when somebody types");
    await page.getByRole("button", { name: "Sign in" }).click();
    await sees(page, /Choose another one: /);
    is(await field.getAttribute("aria-invalid"), "true", "a common password is refused by the server, at the field");
    await look(page, "password-common");
    await field.fill(NEW);
    await page.getByRole("button", { name: "Sign in" }).click();
    await atAccount(page);
});

await browse("too many attempts", async (page) => {
    for (let i = 0; i < 15; i++) await page.request.post("/api/v1/auths/signin", { data: { email: limited.email, password: "wrong password" } });
    await page.goto("/account/sign-in");
    await signIn(page, limited);
    await sees(page, /Too many attempts\. Try again in \d+ s\./);
    const seconds = async () => Number(/(\d+) s\./.exec(await page.getByText("Too many attempts").textContent())[1]);
    const first = await seconds();
    ok(await page.getByRole("button", { name: "Sign in" }).isDisabled(), "nobody tries again before");
    await page.waitForFunction((before) => Number(/(\d+) s\./.exec(document.body.textContent)[1]) < before, first);
    ok(true, "the seconds count down");
    await look(page, "sign-in-limited");
});

await browse("sign-up", async (page) => {
    await page.goto("/account/sign-in");
    await page.getByRole("link", { name: "Create an account" }).click();
    await page.waitForURL("**/account/sign-up");
    await page.getByLabel("Name").fill("Dora");
    await page.getByLabel("Email address").fill(bob.email);
    await page.getByLabel("Password").fill(NEW);
    const create = page.getByRole("button", { name: "Create an account" });
    await create.click();
    await sees(page, "Another account has this address.");
    await look(page, "sign-up");
    await page.getByLabel("Email address").fill("dora@example.org");
    await create.click();
    await sees(page, "Your account waits for an administrator.");
    await sees(page, `Ask ${ada.name}, ${ada.email}.`);
    await look(page, "pending");
});

await browse("profile", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto("/account/");
    await atAccount(page);
    await look(page, "account");

    const profile = part(page, "Profile");
    await profile.getByLabel("Name").fill("  ");
    await profile.getByRole("button", { name: "Save" }).click();
    await sees(page, "Please fill this in.");
    await profile.getByLabel("Name").fill("Bob <b>Builder</b>");
    await profile.getByLabel("Time zone").selectOption("Europe/Vienna");
    await profile.getByRole("button", { name: "Save" }).click();
    await profile.locator("form").getByText("Saved.").waitFor();
    const { name, bio, timezone } = await ask(page, "/users/user/status");
    is([name, bio, timezone], ["Bob <b>Builder</b>", "Builds things.", "Europe/Vienna"], "the profile is saved, and the rest of it stays");

    // A picture, drawn here: 40 by 20 pixels.
    const drawn = await page.evaluate(() => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 20 });
        canvas.getContext("2d").fillRect(0, 0, 20, 20);
        return canvas.toDataURL().split(",")[1];
    });
    const choose = async (file) => {
        const [chooser] = await Promise.all([page.waitForEvent("filechooser"), profile.getByRole("button", { name: "Choose a picture" }).click()]);
        await chooser.setFiles(file);
    };
    await choose({ name: "text.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await sees(page, "The browser can't read this file as a picture.");
    await choose({ name: "drawn.png", mimeType: "image/png", buffer: Buffer.from(drawn, "base64") });
    const crop = page.getByRole("dialog", { name: "Choose a picture" });
    await crop.waitFor();
    await look(page, "crop");
    // A finger moves it.
    const shown = () => crop.getByRole("img").evaluate((canvas) => canvas.toDataURL());
    const before = await shown();
    await crop.getByRole("img").evaluate((canvas) => {
        const { left, top } = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};
        for (const [type, x] of [["pointerdown", 150], ["pointermove", 120], ["pointerup", 120]]) {
            canvas.dispatchEvent(new PointerEvent(type, { clientX: left + x, clientY: top + 90, buttons: type === "pointerup" ? 0 : 1, pointerType: "touch", pointerId: 7 }));
        }
    });
    ok(await shown() !== before, "a finger moves the picture");
    await crop.getByLabel("Size").fill("2");
    await crop.getByRole("img").press("ArrowRight");
    const box = await crop.getByRole("img").boundingBox();
    await page.mouse.move(box.x + 60, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + 90, box.y + 70);
    await page.mouse.up();
    await crop.getByRole("button", { name: "Save" }).click();
    await crop.waitFor({ state: "detached" });
    const address = async () => (await ask(page, "/users/user/status")).profile_image_url;
    await becomes(async () => /^\/pictures\/\w+\.webp$/.test(await address()), true, "the picture is stored");
    const stored = await address();
    is(await page.evaluate(async (from) => {
        const { width, height } = await createImageBitmap(await (await fetch(from)).blob());
        return [width, height];
    }, stored), [256, 256], "... as a square");
    await choose({ name: "drawn.png", mimeType: "image/png", buffer: Buffer.from(drawn, "base64") });
    await crop.waitFor();
    await page.keyboard.press("Escape");
    await crop.waitFor({ state: "detached" });
    is(await address(), stored, "Escape changes nothing");
    await profile.getByRole("button", { name: "Remove" }).click();
    await becomes(address, "/user.png", "and removed again");

    const status = part(page, "Status");
    await status.getByLabel("Emoji").fill("☕");
    await status.getByLabel("Message").fill("Tea, with milk");
    await status.getByLabel("Until").selectOption("+4");
    await status.getByRole("button", { name: "Save" }).click();
    await status.getByText("Saved.").waitFor();
    const set = await ask(page, "/users/user/status");
    is([set.status_emoji, set.status_message], ["☕", "Tea, with milk"], "the status is set");
    ok(Math.abs(set.status_expires_at - Date.now() / 1000 - 4 * 3600) < 600, "... for four hours");
    await page.reload();
    is([await status.getByLabel("Message").inputValue(), await status.getByLabel("Until").inputValue()], ["Tea, with milk", String(set.status_expires_at)],
        "... and shown");
    await status.getByRole("button", { name: "Clear" }).click();
    await becomes(async () => [await status.getByLabel("Message").inputValue(), (await ask(page, "/users/user/status")).status_message], ["", ""], "... and cleared");

    // 401 is not always the end of a session.
    const saving = "**/api/v1/auths/update/profile";
    for (const [code, status, told] of [["ACCESS_PROHIBITED", 401, "Your account may not do this."], ["INTERNAL_ERROR", 500, "The service has a fault."], ["ANOTHER_ERROR", 400, "As it says."]]) {
        await page.route(saving, (route) => route.fulfill({ status, json: { code, detail: "As it says." } }));
        await profile.getByRole("button", { name: "Save" }).click();
        await profile.getByText(told).waitFor();
        is(await page.getByRole("dialog").count(), 0, `${code} is told`);
        await page.unroute(saving);
    }

    // What the browser can't reach is not lost.
    await profile.getByLabel("About me").fill("A long text.");
    await context.setOffline(true);
    await sees(page, "The service can't be reached. What you typed is still here.");
    await profile.getByRole("button", { name: "Save" }).click();
    await profile.getByText("The service can't be reached. What you typed is still here.").waitFor();
    await look(page, "offline");
    await context.setOffline(false);
    await becomes(() => page.locator(".offline").textContent(), "", "that the network is back is seen");
    await profile.getByRole("button", { name: "Save" }).click();
    await becomes(async () => (await ask(page, "/users/user/status")).bio, "A long text.", "after an interruption it is saved");

    const may = part(page, "What I may do");
    await may.getByText("features", { exact: true }).click();
    is(await may.getByRole("row", { name: /^api keys/ }).getByRole("cell").allTextContents(), ["yes", "Key holders"], "a permission comes from a group");
    is(await may.getByRole("row", { name: /^notes/ }).getByRole("cell").allTextContents(), ["yes", "everybody"], "... or from the defaults");
    await look(page, "account-may");

    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download all" }).click()]);
    is(JSON.parse(await readFile(await download.path())).user[0].email, bob.email, "what is stored is downloaded");
}, { token: bob.token });

await browse("sessions, keys and password", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const elsewhere = async () => (await (await page.request.post("/api/v1/auths/signin", { data: { email: bob.email, password: bob.password }, headers: {
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1" } })).json()).token;
    const tokens = [await elsewhere(), await elsewhere()];
    await context.clearCookies();
    await page.goto("/account/sign-in");
    await signIn(page, bob);
    await atAccount(page);
    const sessions = part(page, "Sessions");
    const rows = sessions.getByRole("listitem");
    const count = await rows.count();
    is(await sessions.getByText("Safari, iPhone").count(), 2, "sessions are told by their device");
    is(await sessions.getByText("(this one)").count(), 1, "... and this one is marked");
    await sessions.getByRole("button", { name: "End: Safari, iPhone" }).first().click();
    await becomes(() => rows.count(), count - 1, "one ends");
    await sessions.getByRole("button", { name: "End all others" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    is(await rows.count(), count - 1, "nothing ends by asking");
    await sessions.getByRole("button", { name: "End all others" }).click();
    await look(page, "ask");
    await page.getByRole("dialog").getByRole("button", { name: "End" }).click();
    await becomes(() => rows.count(), 1, "all others end");
    for (const token of tokens) {
        is((await fetch(`${facts.url}/api/v1/auths/`, { headers: { Authorization: `Bearer ${token}` } })).status, 401, "another session has ended");
    }

    const keys = part(page, "API keys");
    await keys.getByLabel("What is it for?").fill("Backup");
    await keys.getByLabel("Days that it is valid").fill("-1");
    await keys.getByRole("button", { name: "Create a key" }).click();
    await sees(page, "Please fill this in.");
    await keys.getByLabel("Days that it is valid").fill("90");
    await keys.getByRole("button", { name: "Create a key" }).click();
    const key = await keys.getByRole("status").locator("code").textContent();
    await keys.getByRole("button", { name: "Copy" }).click();
    await keys.getByText("Copied.").waitFor();
    is(await page.evaluate(() => navigator.clipboard.readText()), key, "the key is copied");
    is((await fetch(`${facts.url}/api/v1/auths/`, { headers: { Authorization: `Bearer ${key}` } })).status, 200, "... and works");
    await look(page, "account-key");
    const [stored] = await ask(page, "/auths/api_keys");
    ok(Math.abs(stored.expires_at - Date.now() / 1000 - 90 * 86400) < 600, "... for 90 days");
    is(await keys.getByLabel("What is it for?").inputValue(), "", "... and the form is empty again");
    await page.reload();
    await keys.getByText("Backup").waitFor();
    ok(!(await page.content()).includes(key), "... and is not shown again");
    await keys.getByRole("button", { name: "Remove: Backup" }).click();
    await page.request.delete(`/api/v1/auths/api_keys/${stored.id}`);
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await keys.getByText("Backup").waitFor({ state: "detached" });
    await becomes(() => ask(page, "/auths/api_keys"), [], "a key is removed");

    // A change that has to be confirmed waits for the password.
    let asked = 0;
    await page.route("**/api/v1/auths/api_keys", (route) => route.request().method() === "POST" && asked++ === 0
        ? route.fulfill({ status: 403, contentType: "application/json", body: JSON.stringify({ detail: "Confirm first.", code: "CONFIRMATION_REQUIRED" }) })
        : route.continue());
    await keys.getByLabel("What is it for?").fill("Confirmed");
    await keys.getByRole("button", { name: "Create a key" }).click();
    const confirm = page.getByRole("dialog", { name: "Confirm" });
    await confirm.waitFor();
    await look(page, "confirm");
    await confirm.getByLabel("Password").fill("wrong password");
    await confirm.getByRole("button", { name: "Confirm" }).click();
    await sees(page, "This is not your password.");
    await confirm.getByLabel("Password").fill(bob.password);
    await confirm.getByRole("button", { name: "Confirm" }).click();
    await keys.getByRole("button", { name: "Remove: Confirmed" }).waitFor();
    await page.unroute("**/api/v1/auths/api_keys");
    const oneMore = JSON.stringify({ email: bob.email, password: bob.password });
    await fetch(`${facts.url}/api/v1/auths/signin`, { method: "POST", body: oneMore, headers: { "Content-Type": "application/json" } });
    await page.reload();
    await sessions.getByRole("button", { name: "End all others" }).click();
    await page.getByRole("dialog").getByLabel("Remove the API keys, too").check();
    await page.getByRole("dialog").getByRole("button", { name: "End" }).click();
    await keys.getByText("Confirmed").waitFor({ state: "detached" });
    await becomes(() => ask(page, "/auths/api_keys"), [], "with the sessions, the keys may go, too");

    const password = part(page, "Password");
    await password.getByLabel("Current password").fill("wrong password");
    await password.getByLabel("New password").fill(NEW);
    await password.getByRole("button", { name: "Change password" }).click();
    await sees(page, "This is not your password.");
    is(await password.getByLabel("New password").inputValue(), NEW, "what was typed stays");
    await password.getByLabel("Current password").fill(bob.password);
    await password.getByRole("button", { name: "Change password" }).click();
    await sees(page, "Changed. Your other sessions have ended.");
    is(await password.locator("input, meter").evaluateAll((all) => all.filter(({ hidden }) => !hidden).map(({ value }) => value)), ["", "", 0], "the form is empty again");

    // The session ends elsewhere, while somebody types.
    const profile = part(page, "Profile");
    await profile.getByLabel("About me").fill("Typed before.");
    const { token } = await (await page.request.post("/api/v1/auths/signin", { data: { email: bob.email, password: NEW } })).json();
    await fetch(`${facts.url}/api/v1/auths/sessions`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    await profile.getByRole("button", { name: "Save" }).click();
    const again = page.getByRole("dialog", { name: "Your session has ended" });
    await again.waitFor();
    await look(page, "session-ended");
    await again.getByLabel("Password").fill(NEW);
    await again.getByRole("button", { name: "Sign in" }).click();
    await becomes(async () => (await ask(page, "/users/user/status")).bio, "Typed before.", "a session that ended elsewhere loses nothing that was typed");

    // It ends elsewhere, and somebody comes back to the page, and does not want to sign in.
    const comeBack = () => page.evaluate(() => { document.dispatchEvent(new Event("visibilitychange")); });
    await page.request.get("/api/v1/auths/signout");
    await profile.getByLabel("About me").fill("Typed again.");
    await comeBack();
    await again.waitFor();
    await page.keyboard.press("Escape");
    await again.waitFor({ state: "detached" });
    await profile.getByRole("button", { name: "Save" }).click();
    await again.waitFor();
    await page.keyboard.press("Escape");
    await profile.getByText("Your session has ended").waitFor();
    is(await profile.getByLabel("About me").inputValue(), "Typed again.", "who does not sign in loses nothing either");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/account/sign-in");
    ok(true, "signing out of a session that has ended leads to the sign-in page");

    // Somebody else has signed in meanwhile: the page is theirs now.
    await signIn(page, bob, NEW);
    await atAccount(page);
    await page.request.post("/api/v1/auths/signin", { data: { email: ada.email, password: ada.password } });
    await comeBack();
    await sees(page, ada.email);
    ok(true, "a page does not save for one person what another has typed");
});

// With Tab, Enter, Space, arrows and Escape alone.
await browse("keyboard", async (page) => {
    const { keyboard } = page;
    const focused = () => page.evaluate(() => {
        const { activeElement: one } = document, { outlineStyle, outlineWidth } = getComputedStyle(one);
        const name = one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent;
        return { name, tag: one.localName, isSeen: one === document.body || (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) };
    });
    // Presses Tab until what has this name has the focus.
    const go = async (name, tag) => {
        for (let i = 0; i < 80; i++) {
            await keyboard.press("Tab");
            const one = await focused();
            if (one.name === name && (!tag || one.tag === tag)) return;
        }
        throw new Error(`Tab does not lead to ${name}`);
    };
    const has = async (name, what) => is((await focused()).name, name, what);

    await page.goto("/account/sign-in");
    await page.getByLabel("Email address").waitFor();
    await keyboard.type(ada.email);
    await go("Password");
    await keyboard.type(ada.password);
    await keyboard.press("Enter");
    await atAccount(page);

    // Once around: every control has its turn, in the order of the page, and is seen to have it.
    const controls = await page.evaluate(() => [...document.querySelectorAll("a, button, input, select, textarea, summary")].filter((one) => one.checkVisibility()).length);
    const around = [];
    do {
        await keyboard.press("Tab");
        around.push(await focused());
    } while (around.at(-1).tag !== "body" && around.length <= controls + 1);
    is(around.length, controls + 1, "Tab leads to every control, and out of the page");
    is(around.filter(({ isSeen }) => !isSeen), [], "... and each is seen to have the focus");
    is(await page.evaluate(() => {
        let last = -Infinity, back = 0;
        for (const one of document.querySelectorAll("main :is(a, button, input, select, textarea, summary)")) {
            if (!one.checkVisibility() || one.closest("nav")) continue;
            const { top } = one.getBoundingClientRect();
            if (top < last - 40) back++;
            last = top;
        }
        return back;
    }), 0, "... from top to bottom");

    await go("Name");
    await keyboard.press("ControlOrMeta+A");
    await keyboard.type("Ada King");
    await keyboard.press("Enter");
    await part(page, "Profile").locator("form").getByText("Saved.").waitFor();
    is((await ask(page, "/users/user/status")).name, "Ada King", "a name is changed");
    await has("Name", "... and the focus stays");

    await go("Message");
    await keyboard.type("Here");
    await go("Until");
    await keyboard.press("ArrowDown");
    await go("Save");
    await keyboard.press("Space");
    await part(page, "Status").getByText("Saved.").waitFor();
    await go("Clear");
    await keyboard.press("Enter");
    await becomes(async () => [(await focused()).name, (await ask(page, "/users/user/status")).status_message], ["Emoji", ""], "a status is set and cleared, and the focus is where the next is typed");

    await go("What is it for?");
    await keyboard.type("Pipes");
    await keyboard.press("Enter");
    await becomes(async () => (await focused()).name, "Copy", "a new key leads to its button");
    await keyboard.press("Shift+Tab");
    await has("Remove: Pipes", "the key is in the list");
    await keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Remove" });
    await dialog.waitFor();
    await has("Cancel", "a question that is dangerous begins at no");
    for (let i = 0; i < 6; i++) await keyboard.press("Tab");
    ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null), "a dialog keeps the focus");
    await keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await has("Remove: Pipes", "Escape closes it, and the focus is where it was");
    is((await ask(page, "/auths/api_keys")).length, 1, "... and nothing has happened");
    await keyboard.press("Enter");
    await dialog.waitFor();
    await go("Remove");
    await keyboard.press("Enter");
    await becomes(() => ask(page, "/auths/api_keys"), [], "a key is removed");
    await becomes(() => page.evaluate(() => document.activeElement.className), "rows", "... and the focus stays at the list");

    // A session of two, and the focus after it.
    for (let i = 0; i < 2; i++) await fetch(`${facts.url}/api/v1/auths/signin`, { method: "POST", body: JSON.stringify({ email: ada.email, password: ada.password }), headers: {
        "Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (iPad) Safari/604.1" } });
    await page.reload();
    await go("End: Safari, iPad");
    await keyboard.press("Enter");
    await becomes(async () => [await page.getByRole("button", { name: "End: Safari, iPad" }).count(), (await focused()).name], [1, "End: Safari, iPad"], "a session ends, and the focus is at the next");
    await go("End all others");
    await keyboard.press("Enter");
    await page.getByRole("dialog", { name: "End all others" }).waitFor();
    await go("End");
    await keyboard.press("Enter");
    await becomes(() => page.getByRole("button", { name: "End: Safari, iPad" }).count(), 0, "all others end");

    const chooser = page.waitForEvent("filechooser");
    await go("Choose a picture");
    await keyboard.press("Enter");
    await (await chooser).setFiles({ name: "user.png", mimeType: "image/png", buffer: Buffer.from(await (await page.request.get("/user.png")).body()) });
    const crop = page.getByRole("dialog", { name: "Choose a picture" });
    await crop.waitFor();
    await go("Size");
    await keyboard.press("ArrowRight");
    await go("Save");
    await keyboard.press("Enter");
    await crop.waitFor({ state: "detached" });
    await becomes(async () => (await focused()).name, "Choose a picture", "a picture is chosen");
    await becomes(async () => /^\/pictures\//.test((await ask(page, "/users/user/status")).profile_image_url), true, "... and stored");

    await go("features", "summary");
    await keyboard.press("Space");
    await part(page, "What I may do").getByRole("row", { name: /^notes/ }).waitFor();

    await go("New password");
    await keyboard.type("short");
    await keyboard.press("Enter");
    await has("Current password", "the first field that is wrong gets the focus");

    await go("Sign out");
    await keyboard.press("Space");
    await page.waitForURL("**/account/sign-in");
    await page.getByLabel("Email address").waitFor();
    await go("Create an account");
    await keyboard.press("Enter");
    await page.waitForURL("**/account/sign-up");
    await page.getByLabel("Name").waitFor();
    await has("Name", "the first field has the focus");
});

await browse("pending", async (page) => {
    await page.goto("/account/");
    await sees(page, "Your account waits for an administrator.");
    is(await page.getByRole("region", { name: "Profile" }).count(), 0, "who waits changes nothing");
}, { token: pending.token });

await browse("Deutsch", async (page) => {
    await page.goto("/account/sign-in");
    await page.getByRole("heading", { name: "Anmelden" }).waitFor();
    is(await page.evaluate(() => document.documentElement.lang), "de", "the language is that of the browser");
    await look(page, "sign-in-de");
    await page.getByRole("combobox", { name: "Sprache" }).selectOption("en");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.getByRole("combobox", { name: "Language" }).selectOption("de");
    await page.getByRole("heading", { name: "Anmelden" }).waitFor();
    await page.getByLabel("E-Mail-Adresse").fill(ada.email);
    await page.getByLabel("Passwort").fill(ada.password);
    await page.getByRole("button", { name: "Anmelden" }).click();
    await atAccount(page, "Mein Konto");
    await look(page, "account-de");
}, { language: "de-AT" });

// What other configurations offer, and a service that is away.
await browse("other sites", async (page) => {
    let change = { password_sign_in: false };
    await page.route("**/api/v1/auths/site", async (route) => {
        if (!change) return route.fulfill({ status: 503, json: { detail: "Later.", code: "UNAVAILABLE" } });
        const response = await route.fetch();
        return route.fulfill({ response, json: { ...await response.json(), ...change } });
    });
    await page.goto("/account/sign-in");
    await page.getByRole("button", { name: "Sign in" }).click();
    await sees(page, "The email address or the password is wrong.");
    is(await page.getByRole("textbox").count(), 0, "where a proxy says who calls, there is no password");
    change = { sign_up: false };
    await page.goto("/account/sign-up");
    await sees(page, "Here an administrator creates accounts.");
    change = null;
    await page.goto("/account/sign-in");
    await sees(page, "The service is busy. Try again in a moment.");
    await look(page, "away");
    change = {};
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("Email address").waitFor();
    ok(true, "a page that could not be read is read again");
});

// The client in a browser: each of the twenty operations. All that Ada had before has ended above.
const fresh = await (await fetch(`${facts.url}/api/v1/auths/signin`, { method: "POST",
    body: JSON.stringify({ email: ada.email, password: ada.password }), headers: { "Content-Type": "application/json" } })).json();
await browse("client", async (page) => {
    await page.goto("/account/");
    await atAccount(page);
    is(await page.evaluate(async (id) => {
        const roster = (await import("/account/client.js")).client();
        const called = [];
        const call = async (name, ...given) => {
            await roster[name](...given).catch((error) => { if (name !== "user_oauth_sessions" || error.code !== "USER_NOT_FOUND") throw error; });
            called.push(name);
        };
        for (const name of ["users_list", "users_all", "users_search", "users_own_groups", "users_own_permissions", "settings_get", "status_get", "info_get"]) await call(name);
        await call("default_permissions_set", await roster.default_permissions_get());
        await call("settings_update", { ui: {} });
        await call("status_update", { status_message: "Here" });
        await call("info_update", { a: 1 });
        for (const name of ["user_get", "user_oauth_sessions", "user_picture", "user_active", "user_groups"]) await call(name, id);
        await call("user_update", id, await roster.user_get(id));
        await call("user_delete", id);
        return called.length;
    }, limited.id), 19, "all operations work from a page; reading the default permissions is the twentieth");
}, { token: fresh.token });

await done();
