// browser.mjs: what the scripts of t/browser share. t/lib/Roster/Browser.pm runs them.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

export const facts = JSON.parse(process.env.ROSTER_FACTS);
const require = createRequire(`${facts.tools}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const patience = 10000 * facts.patience;

export function ok(good, name, why) {
    console.log(`${good ? "" : "not "}ok - ${name}`);
    if (!good && why !== undefined) console.log(typeof why === "string" ? why : JSON.stringify(why, null, 1));
    return good;
}

export function is(got, wanted, name) {
    const same = JSON.stringify(got) === JSON.stringify(wanted);
    return ok(same, name, { got, wanted });
}

// Asks again until the answer is the wanted one: what a click has begun takes its time.
export async function becomes(get, wanted, name) {
    const end = Date.now() + patience;
    let got;
    do {
        got = await get();
    } while (JSON.stringify(got) !== JSON.stringify(wanted) && Date.now() < end && await new Promise((go) => setTimeout(go, 50, true)));
    return is(got, wanted, name);
}

// Without the last two, each window of Chromium loads pages of its own, of some hundred files. The others are those of
// playwright-core that matter here: the last --disable-features counts alone.
const without = ["HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "PaintHolding", "OptimizationHints", "PreconnectToSearch", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup"];
export const browser = await chromium.launch({ executablePath: facts.chromium, timeout: 3 * patience, args: ["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage",
    `--disable-features=${without}`] });

// Runs work(page) in a window with no cookies, and checks that the console has nothing to say. That an answer of the API
// is an error is what Chromium reports, and no fault: the work sees it on the page.
export async function browse(name, work, { language = "en", token, ...options } = {}) {
    const context = await browser.newContext({ baseURL: facts.url, locale: language, viewport: { width: 1280, height: 800 }, ...options });
    if (token) await context.addCookies([{ name: "token", value: token, url: facts.url, httpOnly: true }]);
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    const said = [];
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("console", (message) => {
        const isAnswer = message.text().startsWith("Failed to load resource") && message.location().url.includes("/api/v1/");
        if (["error", "warning"].includes(message.type()) && !isAnswer) said.push(message.text());
    });
    try {
        await work(page, context);
    } catch (error) {
        await page.screenshot({ path: `${facts.screenshots}/failed.png` }).catch(() => {});
        ok(false, `${name}: ${String(error).split("\n")[0]}`, error.stack);
    }
    is(said, [], `${name}: the console is empty`);
    await context.close();
}

// Waits until a text is on the page.
export const sees = (page, text) => page.getByText(text).first().waitFor();

// What a page looks like now: screenshots in three widths, two of them in both themes; nothing is wider than the window, axe finds no
// violation, and no object was taken for a text.
export async function look(page, name) {
    if (!await page.evaluate("window.axe")) await page.evaluate(axe);
    for (const width of [320, 360, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        for (const colorScheme of width === 320 ? ["light"] : ["light", "dark"]) {
            await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
            await page.screenshot({ path: `${facts.screenshots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
            if ((width === 360) === (colorScheme === "light")) {
                const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
                is(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `${name}: axe finds nothing, ${width} ${colorScheme}`);
            }
        }
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        ok(over <= 0, `${name}: nothing is wider than ${width} pixels`, String(over));
    }
    ok(!(await page.content()).includes("[object"), `${name}: no object is shown as text`);
}

// The end of a script.
export const done = () => browser.close();
