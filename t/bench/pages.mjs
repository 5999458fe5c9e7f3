// pages.mjs: opens the pages and takes the times, run by t/bench/pages.
import { browser, facts } from "../browser/browser.mjs";

const { ada, slower, tries } = facts;
const pages = [
    { name: "sign-in", path: "/account/sign-in", first: "input[name=email]" },
    { name: "account", path: "/account/", first: "input[name=name]", token: ada.token },
    { name: "people", path: "/admin/", first: "tbody tr", token: ada.token },
    { name: "person", path: `/admin/person?id=${ada.id}`, first: "input[name=name]", token: ada.token },
    { name: "status", path: "/admin/status", first: "tbody tr", token: ada.token },
].filter(({ name }) => new RegExp(facts.only).test(name));

// Runs in the page before anything else: when the first field or row is there, shifts, and long tasks.
function watch(first) {
    const seen = window.seen = { shift: 0, task: 0, frame: 0 };
    new PerformanceObserver((list) => { for (const { value } of list.getEntries()) seen.shift += value; }).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.task = Math.max(seen.task, duration); }).observe({ type: "longtask", buffered: true });
    const wait = (now) => {
        if (document.querySelector(first)) requestAnimationFrame(() => { seen.usable = performance.now(); });
        else setTimeout(wait, 4);
    };
    wait();
}

// What the page has loaded: its requests, the longest chain of them, and the bytes.
function loaded() {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(({ name }) => !name.startsWith("data:")).sort((a, b) => a.startTime - b.startTime);
    for (const one of all) one.depth = 1 + Math.max(0, ...all.filter((other) => other.responseEnd && other !== one && other.responseEnd <= one.startTime).map(({ depth }) => depth ?? 0));
    const [{ startTime, responseEnd }] = all;
    all[0].depth = 1;
    return { requests: all.length, chain: Math.max(...all.map(({ depth }) => depth)), bytes: all.reduce((sum, { transferSize }) => sum + transferSize, 0), html: responseEnd - startTime,
        list: all.map((one) => `${one.startTime.toFixed(0)}-${one.responseEnd.toFixed(0)} ${one.depth} ${one.transferSize} ${new URL(one.name).pathname}`) };
}

// A window, in which work is slow from now on.
async function newPage(one) {
    const context = await newContext(one);
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await page.addInitScript(watch, one.first);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    return { context, page, cdp };
}

async function open({ page, cdp }, { path }) {
    await page.goto("about:blank");
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: slower });
    const metrics = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value * 1000]));
    const before = await metrics();
    await page.goto(path);
    await page.waitForFunction(() => window.seen.usable, null, { polling: 300 });
    await page.waitForLoadState("networkidle");
    const after = await metrics();
    // Another process has begun to count anew.
    const spent = (name) => after[name] - (after[name] < before[name] ? 0 : before[name]);
    return { ...await page.evaluate("window.seen"), ...await page.evaluate(loaded), script: spent("ScriptDuration"), all: spent("TaskDuration") };
}

async function newContext({ token }) {
    const context = await browser.newContext({ baseURL: facts.url, locale: "en", viewport: { width: 1280, height: 800 } });
    if (token) await context.addCookies([{ name: "token", value: token, url: facts.url, httpOnly: true }]);
    return context;
}

const columns = [["usable", "usable", "ms"], ["requests", "requests", ""], ["chain", "in series", ""], ["bytes", "transfer", "B"], ["script", "script", "ms"], ["all", "task", "ms"], ["task", "longest", "ms"], ["shift", "shift", ""]];
console.log(["page".padEnd(16), ...columns.map(([, title]) => title.padStart(10))].join(""));
for (const one of pages) {
    const kinds = { first: [], again: [] };
    const window = await newPage(one);
    await open(window, one);
    for (let i = 0; i < tries; i++) {
        await window.cdp.send("Network.clearBrowserCache");
        kinds.first.push(await open(window, one));
        kinds.again.push(await open(window, one));
    }
    await window.context.close();
    for (const [kind, all] of Object.entries(kinds)) {
        const least = (key) => Math.min(...all.map((each) => each[key]));
        const shift = Math.max(...all.map((each) => each.shift));
        console.log([`${one.name}, ${kind}`.padEnd(16), ...columns.map(([key, , unit]) => `${key === "shift" ? shift : Math.round(least(key))} ${unit}`.padStart(10))].join(""));
        if (process.env.ROSTER_BENCH_LIST) console.log(all.at(-1).list.map((line) => `    ${line}`).join("\n"));
    }
}

// ---- The list of people: scrolled, paged, searched ----

for (const rate of [1, slower]) {
    if (!pages.some(({ name }) => name === "people")) break;
    const people = pages.find(({ name }) => name === "people");
    const window = await newPage(people);
    const { context, page, cdp } = window;
    await open(window, people);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate });
    const take = async (name, work) => {
        let frame = Infinity, task = Infinity;
        for (let i = 0; i < tries; i++) {
            await page.evaluate(() => {
                const { seen } = window;
                Object.assign(seen, { frame: 0, task: 0, stop: false });
                let before;
                const tick = (now) => {
                    if (before) seen.frame = Math.max(seen.frame, now - before);
                    before = now;
                    if (!seen.stop) requestAnimationFrame(tick);
                };
                requestAnimationFrame(tick);
            });
            await work();
            await page.waitForLoadState("networkidle");
            const seen = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => { window.seen.stop = true; done(window.seen); }))));
            frame = Math.min(frame, seen.frame);
            task = Math.min(task, seen.task);
        }
        console.log(`${name}, processor ${rate} times slower: longest frame ${frame.toFixed(0)} ms, longest task ${task ? `${task.toFixed(0)} ms` : "under 50 ms"}`);
    };
    const rows = () => page.locator("tbody tr").first().waitFor();
    await page.setViewportSize({ width: 1280, height: 400 });
    await take("scroll", async () => {
        for (let i = 0; i < 20; i++) await page.mouse.wheel(0, i < 10 ? 100 : -100);
    });
    await take("page", async () => {
        await page.getByRole("button", { name: "Next" }).click();
        await page.waitForTimeout(300);
        await rows();
    });
    await take("search", async () => {
        await page.getByRole("searchbox").fill("");
        await page.getByRole("searchbox").pressSequentially("many 99", { delay: 40 });
        await page.waitForTimeout(400);
        await rows();
    });
    await context.close();
}
await browser.close();
