// interface.mjs: a journey through the web interface of Open WebUI, which t/clients/interface.t gives it, with Roster behind
// it. What the interface asks of other services is answered here, with as little as lets it run.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { browser, facts, ok } from "../browser/browser.mjs";

const patience = 5000 * facts.patience;

// What Roster answers. A person's tokens and chats are the application's.
const ours = /^\/(api\/v1\/(users(?!\/usage)|auths|groups)(\/|$)|pictures\/)/;

// ---- What belongs to other services ----

// What is Roster's of the settings, for the answer to /api/config: the journey tells who may read them.
let administering = null;
export const administer = (token) => { administering = token; };
export const administrator = () => administering;

export const ask = async (path, token, body) => {
    const answer = await fetch(`${facts.url}/api/v1${path}`, {
        method: body === undefined ? "GET" : "POST", body: body && JSON.stringify(body),
        headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body ? { "Content-Type": "application/json" } : {}) } });
    return answer.ok ? answer.json() : null;
};

const configuration = async (request) => {
    const headers = request.headers();
    const token = headers.authorization?.replace(/^Bearer /, "") || /(?:^|; )token=([^;]+)/.exec(headers.cookie ?? "")?.[1];
    const user = token ? await ask("/auths/", token) : null;
    const settings = (administering && await ask("/auths/admin/config", administering)) ?? {};
    const isVerified = ["user", "admin"].includes(user?.role);
    return {
        status: true, name: "Application", version: facts.version, default_locale: "en-US", i18n: {}, oauth: { providers: {} },
        ...(administering ? {} : { onboarding: true }),
        features: {
            auth: true, auth_trusted_header: false, enable_ldap: false, enable_websocket: true, enable_signup: settings.ENABLE_SIGNUP ?? true,
            enable_login_form: settings.ENABLE_LOGIN_FORM ?? true, enable_signup_password_confirmation: false,
            ...(user ? { enable_api_keys: settings.ENABLE_API_KEYS, enable_password_change_form: true, enable_user_status: settings.ENABLE_USER_STATUS ?? true,
                enable_user_webhooks: settings.ENABLE_USER_WEBHOOKS, enable_admin_export: true, enable_version_update_check: false, enable_folders: true } : {}),
        },
        ...(isVerified ? { default_models: "", default_pinned_models: "", default_prompt_suggestions: [], code: {}, audio: { tts: {}, stt: {} }, file: { image_compression: {} },
            permissions: {}, google_drive: {}, onedrive: {}, ui: { default_interface_settings: settings.DEFAULT_INTERFACE_SETTINGS ?? {}, visibility: {} } } : {}),
        ...(user?.role === "pending" ? { ui: { pending_user_overlay_title: settings.PENDING_USER_OVERLAY_TITLE,
            pending_user_overlay_content: settings.PENDING_USER_OVERLAY_CONTENT } } : {}),
    };
};

const others = [
    [/^\/api\/config$/, configuration],
    [/^\/api\/version$/, () => ({ version: facts.version, deployment_id: "" })],
    [/^\/api\/(changelog|usage)$|^\/manifest\.json$/, () => ({})],
    [/^\/api\/models/, () => ({ data: [] })],
    [/^\/api\/v1\/configs\/models/, () => ({ DEFAULT_MODELS: "" })],
    [/^\/api\/v1\/utils\/gravatar/, () => "https://example.org/gravatar"],
    [/^\/api\/webhook$/, () => ({ url: "" })],
    [/^\/(api|ollama|openai|ws|oauth|cache)\//, () => []],
];

const types = { js: "text/javascript", css: "text/css", html: "text/html", json: "application/json", png: "image/png", svg: "image/svg+xml",
    woff2: "font/woff2", ico: "image/x-icon", wasm: "application/wasm", mp3: "audio/mpeg" };

const file = (path) => {
    const found = join(facts.interface, decodeURIComponent(path));
    const isFile = existsSync(found) && !statSync(found).isDirectory();
    const name = isFile ? found : join(facts.interface, "index.html");
    return { path: name, contentType: types[name.split(".").pop()] };
};

// ---- Windows ----

export const requests = []; // what was asked of Roster
export const said = []; // what the console said
let step = "";

const serve = async (route) => {
    const request = route.request(), url = new URL(request.url());
    if (url.origin !== facts.url) return route.abort();
    if (ours.test(url.pathname)) return route.continue();
    const other = others.find(([path]) => path.test(url.pathname));
    return route.fulfill(other ? { json: await other[1](request) } : file(url.pathname));
};

// A socket that connects, and answers nothing but that it has heard.
const socket = (connection) => {
    connection.send('0{"sid":"a","upgrades":[],"pingInterval":6000000,"pingTimeout":6000000,"maxPayload":1000000}');
    connection.onMessage((message) => {
        const wanted = /^42(\d+)\[/.exec(String(message));
        if (String(message).startsWith("40")) connection.send('40{"sid":"b"}');
        if (wanted) connection.send(`43${wanted[1]}[{}]`);
    });
};

export async function open() {
    const context = await browser.newContext({ baseURL: facts.url, locale: "en-US", timezoneId: "Europe/Vienna", viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(patience);
    await context.route("**/*", serve);
    await context.routeWebSocket(/socket\.io/, socket);
    const page = await context.newPage();
    windows.push(page);
    page.on("pageerror", (error) => said.push(`${step}: ${String(error)}`));
    page.on("console", (message) => message.type() === "error" && said.push(`${step}: ${message.text()} ${message.location().url}`));
    page.on("response", async (response) => {
        const path = new URL(response.url()).pathname + new URL(response.url()).search;
        if (ours.test(path)) {
            const row = { step, method: response.request().method(), path, status: response.status() };
            requests.push(row);
            if (row.status >= 400) row.answer = await response.text().catch(() => "");
        }
    });
    return page;
}

// ---- Steps ----

let count = 0;
export async function does(name, work) {
    step = name;
    count++;
    try {
        const result = await work();
        const text = await Promise.all(windows.map((page) => page.innerText("body").catch(() => "")));
        ok(!text.some((words) => words.includes("[object")) && result !== false, `${count}. ${name}`, result === false ? "not so" : "an object is shown as text");
    } catch (error) {
        await Promise.all(windows.map((page, number) => page.screenshot({ path: `${facts.screenshots}/interface-${count}-${number}.png` }).catch(() => {})));
        ok(false, `${count}. ${name}`, String(error.stack).split("\n").slice(0, 12).join("\n"));
    }
}

// All windows that are open.
export const windows = [];

export const people = async (query) => (await ask(`/users/?query=${encodeURIComponent(query)}`, administering)).users;
export const groupOf = async (name) => (await ask("/groups/", administering)).find((group) => group.name === name);
export const settings = () => ask("/auths/admin/config", administering);
export const token = (window) => window.evaluate("localStorage.token");
export const me = async (window) => ask("/auths/", await token(window));

export async function until(get) {
    const end = Date.now() + patience;
    while (!await get()) {
        if (Date.now() > end) return false;
        await new Promise((go) => setTimeout(go, 100, true));
    }
    return true;
}

export const sees = (where, text) => where.getByText(text).first().waitFor();
export const press = (where, name) => where.getByRole("button", { name, exact: true }).first().click();
export const fill = (where, placeholder, value) => where.getByPlaceholder(placeholder, { exact: true }).first().fill(value);
export const row = (window, name) => window.locator("tbody tr", { hasText: name }).first();
