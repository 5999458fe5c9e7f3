// account.mjs: the pages of a person, run by account.t.
import { browse, done, facts, is, look, ok, sees } from "./browser.mjs";

const { ada, bob, changing, limited, pending } = facts;

async function signIn(page, person, password = person.password) {
    await page.getByLabel("Email address").fill(person.email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
}

await browse("sign-in", async (page) => {
    await page.goto("/");
    await page.waitForURL("**/account/sign-in?rd=*");
    await sees(page, "Example users");
    await look(page, "sign-in");
    await signIn(page, bob, "wrong password");
    await sees(page, "The email address or the password is wrong.");
    is(await page.getByLabel("Email address").inputValue(), bob.email, "what was typed stays");
    await look(page, "sign-in-wrong");
    await signIn(page, bob);
    await page.waitForURL("**/account/");
    await page.getByRole("heading", { name: "My account" }).waitFor();
    ok(true, "a person signs in, and sees the account");
});
await done();
