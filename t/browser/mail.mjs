// mail.mjs: the pages to which mails lead, run by mail.t.
import { readdirSync, readFileSync } from "node:fs";
import { browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { bob, invitation, maildir, verification } = facts;
const NEW = "another good battery";

// The link of the mail to somebody, as soon as it has come.
async function linkTo(email) {
    for (let i = 0; i < 600; i++, await new Promise((go) => setTimeout(go, 100))) {
        for (const name of readdirSync(maildir)) {
            const text = readFileSync(`${maildir}/${name}`, "utf8").replace(/=\r?\n/g, "");
            if (text.includes(`To: ${email}`) && text.includes("Subject: Choose")) return /^(http\S+#\w+)\r?$/m.exec(text)[1];
        }
    }
    throw new Error(`no mail to ${email}`);
}

async function signIn(page, email, password) {
    await page.getByLabel("Email address").fill(email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "My account", level: 1 }).waitFor();
}

await browse("inviting", async (page) => {
    await page.goto("/admin/");
    await page.getByRole("button", { name: "Add people" }).click();
    const dialog = page.getByRole("dialog"), invite = dialog.getByRole("button", { name: "Invite by mail" });
    await dialog.getByLabel("Name", { exact: true }).fill("Ivy");
    await dialog.getByLabel("Email address").fill("bob@example.org");
    await invite.click();
    await sees(page, "Another account has this address.");
    await dialog.getByLabel("Email address").fill("ivy@example.org");
    await invite.click();
    await sees(page, "A mail is on its way.");
    await look(page, "invited");
    is(await dialog.getByLabel("Name", { exact: true }).inputValue(), "", "the form is empty again");
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByRole("link", { name: "Ivy" }).click();
    await page.getByRole("button", { name: "Send a link to choose a password" }).click();
    await sees(page, "A mail is on its way.");
    ok(true, "an invitation, and another link");
}, { token: facts.admin.token });

await browse("a forgotten password", async (page) => {
    await page.goto("/account/sign-in");
    await page.getByRole("link", { name: "Forgotten your password?" }).click();
    await page.waitForURL("**/account/forgot");
    await sees(page, "We send you a link");
    is(await page.evaluate(() => document.activeElement.type), "email", "the address has the focus");
    await look(page, "forgot");
    await page.keyboard.press("Enter");
    await sees(page, "Please fill this in.");
    await page.getByLabel("Email address").fill("nobody@example.org");
    await page.getByRole("button", { name: "Send the link" }).click();
    const same = "If there is an account with this address, a mail is on its way.";
    await sees(page, same);
    await page.goto("/account/forgot");
    await page.getByLabel("Email address").fill(bob.email);
    await page.keyboard.press("Enter");
    await sees(page, same);
    await look(page, "forgot-done");

    const link = await linkTo(bob.email);
    const asked = [];
    page.on("request", (request) => asked.push(request.method() + " " + request.url() + (request.headers().referer ?? "")));
    await page.goto(link);
    await page.getByRole("heading", { name: "Choose a password" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Choose a password" }).waitFor();
    const secret = link.split("#")[1];
    is(asked.filter((text) => text.includes(secret) && !text.endsWith(link)), [], "no address and no Referer has the secret");
    is(asked.filter((text) => text.startsWith("POST")), [], "opening the link uses nothing up");
    await page.getByLabel("New password").fill("password123");
    await page.getByRole("button", { name: "Save" }).click();
    await sees(page, /Choose another one: /);
    await look(page, "reset-short");
    await page.getByLabel("New password").fill(NEW);
    await page.keyboard.press("Enter");
    await sees(page, "Your password is set. Sign in with it.");
    await look(page, "reset-done");
    await page.getByRole("link", { name: "Sign in" }).click();
    await signIn(page, bob.email, NEW);

    await page.goto(link);
    await page.getByLabel("New password").fill("a third good battery");
    await page.keyboard.press("Enter");
    await sees(page, "This link has been used, has expired, or is not whole.");
    await look(page, "reset-used");
    await page.goto("/account/reset");
    await sees(page, "This link has been used, has expired, or is not whole.");
});

await browse("an invitation", async (page) => {
    await page.goto(invitation);
    await page.getByLabel("New password").fill(NEW);
    await look(page, "invited");
    await page.keyboard.press("Enter");
    await sees(page, "Your password is set.");
    await page.getByRole("link", { name: "Sign in" }).click();
    await signIn(page, "eve@example.org", NEW);
    ok(true, "whoever was invited signs in");
});

await browse("an address", async (page) => {
    await page.goto(verification);
    await page.getByRole("heading", { name: "Adresse bestätigen" }).waitFor();
    await look(page, "verify");
    await page.getByRole("button", { name: "Das ist meine Adresse" }).click();
    await sees(page, "Danke. Ihre Adresse ist bestätigt.");
    await page.goto(verification);
    await page.reload();
    await page.getByRole("button", { name: "Das ist meine Adresse" }).click();
    await sees(page, "Dieser Link wurde schon verwendet");
    await look(page, "verify-used");
}, { language: "de" });

await done();
