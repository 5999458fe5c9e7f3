// factor.mjs: second factors, run by factor.t.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { ada, bob, dora } = facts;
const button = (page, name) => page.getByRole("button", { name, exact: true });
const part = (page) => page.getByRole("region", { name: "Second factor", exact: true });

// RFC 6238. Each code is good once, and the next one may come early: -1, 0 and 1 are three codes that need no waiting.
function totp(key, step) {
    const bits = [...key].map((one) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(one).toString(2).padStart(5, "0")).join(""), counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + step));
    const hash = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((one) => parseInt(one, 2)))).update(counter).digest(), at = hash.at(-1) & 15;
    return String((hash.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, "0");
}

async function signIn(page, person) {
    await page.getByLabel("Email address").fill(person.email);
    await page.getByLabel("Password", { exact: true }).fill(person.password);
    await button(page, "Sign in").click();
}

async function type(page, code, label = "The six digits that your app shows") {
    await page.getByLabel(label).fill(code);
    await button(page, "Continue").click();
}

// Sets a factor up where the page shows how: its key, and the recovery codes.
async function enrol(page) {
    await page.getByRole("img", { name: "QR code" }).waitFor();
    const key = (await page.locator(".step code").textContent()).replaceAll(" ", "");
    await type(page, totp(key, -1));
    await sees(page, /^These are your recovery codes/);
    return [key, await page.locator("ol code").allTextContents()];
}

let key, codes;

await browse("setting it up at the sign-in", async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto("/account/sign-in?rd=%2Faccount%2F%3Fback");
    await signIn(page, ada);
    const code = page.getByLabel("The six digits that your app shows");
    await code.waitFor();
    is(await code.evaluate((one) => [one.autocomplete, one.inputMode, one === document.activeElement]), ["one-time-code", "numeric", true], "the field is one for codes, and has the focus");
    ok(await page.getByRole("img", { name: "QR code" }).evaluate((image) => image.decode().then(() => image.naturalWidth > 0)), "the QR code is a picture");
    await button(page, "Copy").click();
    await sees(page, "Copied.");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    ok(/^[A-Z2-7]{32}$/.test(copied), "the key is copied");
    await look(page, "factor-enrol");
    await type(page, "000000");
    await sees(page, "This code is wrong, or was used before.");
    is(await code.evaluate((one) => [one.ariaInvalid, one === document.activeElement]), ["true", true], "what is wrong is told at the field");
    [key, codes] = await enrol(page);
    is(key, copied, "the key is the one that is shown");
    is([new Set(codes).size, codes.every((one) => /^[0-9a-f]{32}$/.test(one))], [10, true], "ten recovery codes are shown");
    await look(page, "factor-codes");
    await button(page, "Copy").click();
    await sees(page, "Copied.");
    const text = `${codes.join("\n")}\n`;
    is(await page.evaluate(() => navigator.clipboard.readText()), text, "... copied");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
    is(readFileSync(await download.path(), "utf8"), text, "... or downloaded");
    await button(page, "I have kept them").click();
    await page.waitForURL("**/account/?back");
    await part(page).getByText("You have 10 recovery codes left.").waitFor();
    ok(true, "then the sign-in is done");
});

await browse("signing in with it", async (page) => {
    await page.goto("/account/sign-in");
    await signIn(page, ada);
    await page.getByLabel("The six digits that your app shows").waitFor();
    await look(page, "factor-code");
    const code = totp(key, 0);
    await type(page, ` ${code.slice(0, 3)} ${code.slice(3)}`);
    await part(page).waitFor();
    await button(page, "Sign out").click();
    await page.waitForURL("**/account/sign-in");

    // A recovery code, with the keyboard alone.
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    await page.getByRole("textbox", { name: "Email address" }).waitFor();
    await page.keyboard.type(ada.email);
    await press("Tab");
    await page.keyboard.type(ada.password);
    await press("Enter");
    await page.getByLabel("The six digits that your app shows").waitFor();
    await press("Tab", "Tab", "Enter");
    await page.getByLabel("A recovery code").waitFor();
    await look(page, "factor-recovery");
    await page.keyboard.type(codes[0]);
    await press("Enter");
    await part(page).getByText("You have 9 recovery codes left.").waitFor();
    ok(true, "a recovery code takes the place of the app");
    await page.goto("/account/sign-in?again&rd=/account/?again");
    await signIn(page, ada);
    await button(page, "Use a recovery code").click();
    await type(page, codes[3], "A recovery code");
    await page.waitForURL("**/account/?again");
    await part(page).getByRole("button", { name: "Remove it" }).click();
    await button(page, "Use a recovery code").click();
    await type(page, codes[1], "A recovery code");
    await sees(page, "Your account needs a second factor. Replace it instead.");
});

await browse("after a reset by an administrator", async (page) => {
    await page.goto("/account/sign-in");
    await signIn(page, dora);
    await sees(page, "An administrator has reset your second factor.");
    await look(page, "factor-recover");
    await type(page, "x".repeat(43), "Token");
    await sees(page, "This token is wrong, has expired, or was used before.");
    await type(page, facts.reset, "Token");
    await enrol(page);
    await button(page, "I have kept them").click();
    await part(page).waitFor();
    ok(true, "the token leads to another factor");
});

await browse("by choice", async (page) => {
    await page.goto("/account/");
    await part(page).getByText("Your password alone signs you in.").waitFor();
    await look(page, "factor-none");
    await part(page).getByRole("button", { name: "Set it up" }).click();
    // The session of before says not when it was begun: the password is asked for again.
    await page.getByRole("dialog", { name: "Sign in" }).getByLabel("Password").fill(bob.password);
    await page.keyboard.press("Enter");
    const [key, codes] = await enrol(page);
    await look(page, "factor-chosen");
    await button(page, "I have kept them").click();
    await page.waitForURL(/sign-in\?rd=/);
    await signIn(page, bob);
    await type(page, totp(key, 0));
    await part(page).getByText("You have 10 recovery codes left.").waitFor();
    is(new URL(page.url()).hash, "#factor", "all sessions have ended, and the person signs in with it");

    // New codes, from a session that is not fresh.
    await page.route("**/mfa/recovery/codes", (route) => route.fulfill({ status: 403, json: { detail: "", code: "REAUTHENTICATION_REQUIRED" } }), { times: 1 });
    await part(page).getByRole("button", { name: "New recovery codes" }).click();
    await look(page, "factor-new-codes");
    await type(page, "123456");
    const again = page.getByRole("dialog", { name: "Sign in" });
    await again.getByLabel("Password").fill(bob.password);
    await page.keyboard.press("Enter");
    await again.getByLabel("The six digits that your app shows").fill(totp(key, 1));
    await page.keyboard.press("Enter");
    await sees(page, "Thank you. Now type the next code that your app shows.");
    await button(page, "Use a recovery code").click();
    await type(page, codes[0], "A recovery code");
    await sees(page, /^These are your recovery codes/);
    const fresh = await page.locator("ol code").allTextContents();
    is([fresh.length, fresh.includes(codes[1])], [10, false], "new codes take the place of the old ones");
    await button(page, "I have kept them").click();
    await signIn(page, bob);
    await button(page, "Use a recovery code").click();
    await type(page, fresh[0], "A recovery code");

    // Another app, and then none.
    await part(page).getByRole("button", { name: "Use another app" }).click();
    await button(page, "Use a recovery code").click();
    await type(page, fresh[1], "A recovery code");
    const [, others] = await enrol(page);
    await button(page, "I have kept them").click();
    await signIn(page, bob);
    await button(page, "Use a recovery code").click();
    await type(page, others[0], "A recovery code");
    await part(page).getByRole("button", { name: "Remove it" }).click();
    await button(page, "Use a recovery code").click();
    await type(page, others[1], "A recovery code");
    await page.waitForURL(/sign-in\?rd=/);
    await signIn(page, bob);
    await part(page).getByText("Your password alone signs you in.").waitFor();
    ok(true, "replaced, and removed");
}, { token: bob.token });

await browse("in German", async (page) => {
    await page.goto("/account/sign-in");
    await page.getByLabel("E-Mail-Adresse").fill(ada.email);
    await page.getByLabel("Passwort", { exact: true }).fill(ada.password);
    await button(page, "Anmelden").click();
    await page.getByLabel("Die sechs Ziffern, die Ihre App zeigt").waitFor();
    await button(page, "Notfallcode verwenden").click();
    await page.getByLabel("Ein Notfallcode").fill(codes[2]);
    await page.keyboard.press("Enter");
    await sees(page, /Sie haben noch 7 Notfallcodes\./);
    await look(page, "factor-german");
}, { language: "de" });
await done();
