// page.js: what all pages share. HACKING, Pages, tells how a page is made.
import { client, RosterError } from "./client.js";

const direct = client();
const hasEnded = ({ code }) => ["NOT_AUTHENTICATED", "UNAUTHORIZED", "INVALID_TOKEN"].includes(code); // not each 401

// What everybody may know of the site; who is signed in, or null. start sets both.
export let site, user;
const facts = Promise.all([direct.site(), direct.session_get().catch((error) => {
	if (hasEnded(error) || error.code === "PASSWORD_CHANGE_REQUIRED") return null;
	throw error;
})]);

// ---- Texts ----

const languages = { en: "English", de: "Deutsch" };
const language = [localStorage.language, ...navigator.languages].map((name) => name?.slice(0, 2)).find((name) => languages[name]) ?? "en";
document.documentElement.lang = language;
export let texts = {};

// A line of the file is a key, and its text.
const reading = fetch(`/account/${language}.txt`).then(async (answer) => {
	texts = Object.fromEntries((await answer.text()).split("\n").map((line) => line.split(/ (.*)/)));
});

// The text of a key; {name} becomes values.name. There are none before start calls build.
export function t(key, values) {
	if (!texts[key]) console.error(`no text: ${key}`);
	return (texts[key] ?? key).replace(/{(\w+)}/g, (_, name) => values[name]?.toLocaleString(language));
}

// ---- Elements ----

// An element: h("p.quiet", { onclick: f }, "text", another, null). Attributes may be left out, "quiet" is a class.
export function h(what, attributes, ...children) {
	const [tag, name] = what.split("."), element = document.createElement(tag);
	if (name) element.className = name;
	if (attributes?.constructor !== Object) children.unshift(attributes);
	else for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
		else if ((value ?? false) !== false) element.setAttribute(key, value === true ? "" : value);
	}
	for (const child of children.flat(9)) {
		if (child?.constructor === Object) throw new TypeError("this is no text");
		if ((child ?? false) !== false) element.append(child);
	}
	return element;
}

// A list; row(one, fill) answers what stands in a row, fill reads it again. The focus stays in its row, or near.
export function list(read, row) {
	const element = h("ul.rows", { tabindex: -1 });
	const show = (all) => {
		const at = [...element.children].findIndex((one) => one.contains(document.activeElement));
		element.replaceChildren(...all.map((one) => h("li", row(one, fill))));
		if (at >= 0) (element.children[Math.min(at, all.length - 1)]?.querySelector("button") ?? element).focus();
	};
	const fill = () => read().then(show);
	return { element, show, fill };
}

export const date = (seconds) => new Date(seconds * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });

// "5 minutes ago".
export function when(seconds) {
	const ahead = seconds - Date.now() / 1000;
	const [unit, size] = Object.entries({ year: 31557600, month: 2629800, day: 86400, hour: 3600, minute: 60 }).find(([, least]) => Math.abs(ahead) >= least) ?? [];
	return h("time", { title: date(seconds) }, unit ? new Intl.RelativeTimeFormat(language).format(Math.round(ahead / size), unit) : t("now"));
}

// A User-Agent in words: "Firefox, Linux". What follows a colon is how a word in it is called.
export function device(agent) {
	const find = (names) => names.split(" ").map((name) => name.split(":")).find(([name]) => agent?.includes(name))?.at(-1);
	const found = [find("Edg:Edge OPR:Opera Firefox FxiOS:Firefox Chrom:Chrome CriOS:Chrome Safari"), find("iPhone iPad Android Windows Mac CrOS:ChromeOS Linux")];
	return found.filter(Boolean).join(", ") || agent?.split("/")[0] || t("unknown");
}

// The picture of a person, or the initials.
export const picture = ({ id, updated_at }, size) =>
	h("img.picture", { src: `/api/v1/users/${id}/profile/image?initials=1&${updated_at}`, width: size, height: size, alt: "" });

// Permissions by their parts, and where each comes from.
export function origins(sources, groups) {
	const name = (id) => id === "default" ? t("may.default") : groups.find((group) => group.id === id)?.name ?? id;
	return Object.entries(sources).map(([part, permissions]) => h("details", h("summary", part), h("table", Object.entries(permissions).map(([key, { value, from }]) =>
		h("tr", h("th", { scope: "row" }, key.replaceAll("_", " ")), h("td", t(value ? "yes" : "no")), h("td.quiet", from.map(name).join(", ")))))));
}

// ---- What happens ----

// An error as a sentence.
export function explain(error) {
	if (error instanceof Error && !(error instanceof RosterError)) console.error(error);
	const key = hasEnded(error) ? "again" : `error.${error.code ?? "page"}`;
	return texts[key] ? t(key, error) : error.detail;
}

// Does the work once, however often the button is clicked.
async function busy(button, work) {
	if (button.ariaBusy) return;
	button.ariaBusy = "true";
	await work().finally(() => { button.ariaBusy = null; });
}

// A button that does something at once; behind it stands what work() answers, or its error.
export function action(label, work, attributes) {
	const note = h("span", { role: "status" });
	const tell = (name, text = "") => { note.className = name; note.textContent = text; };
	const button = h("button", { type: "button", ...attributes, onclick: () => busy(button, async () => {
		tell("");
		button.after(note);
		await work().then((text) => tell("note", text), (error) => tell("problem", explain(error)));
	}) }, label);
	return button;
}

// A promise of the value of the button that closes the dialog, "" after Escape; close(value) closes it.
export function dialog(title, ...content) {
	const box = h("dialog", { "aria-label": title }, h("h2", title), content);
	document.body.append(box);
	box.showModal();
	const closed = new Promise((resolve) => { box.onclose = () => { box.remove(); resolve(box.returnValue); }; });
	return Object.assign(closed, { close: (value) => box.close(value) });
}

// Asks: true where the button `yes` was chosen. Where that is a danger, Enter alone cancels.
export const ask = async (title, content, yes, kind = "danger") => await dialog(title, h("form", { method: "dialog" }, content,
	h("div.actions", h("button", { class: kind, value: "yes" }, yes), h("button", { value: "", autofocus: kind === "danger" }, t("cancel"))))) === "yes";

// ---- Forms ----

let ids = 0;

// type: of <input>, or textarea. options: [[value, text]] of a select. check(input): why it would be refused, or "".
function field({ name, label = t(name), type = "text", value = "", hint, needed, options, check, ...attributes }) {
	const id = `i${++ids}`, key = type === "checkbox" ? "checked" : "value", problem = h("span.problem");
	const input = h(options ? "select" : type === "textarea" ? type : "input", { id, name, type, "aria-describedby": `${id}p`, "aria-required": needed && "true", ...attributes },
		options?.map(([value, text]) => h("option", { value }, text)));
	input[key] = value;
	const refuse = (text) => {
		problem.textContent = text;
		input.ariaInvalid = text ? "true" : null;
	};
	input.addEventListener("input", () => refuse(""));
	return {
		name, input, refuse,
		element: h("div", { class: `field ${type}` }, h("label", { for: id }, label), input, h("p.quiet", { id: `${id}p` }, problem, " ", hint)),
		get value() { return input[key]; },
		check: () => refuse(needed && !input.value.trim() || type === "number" && !input.validity.valid ? t("missing") : check?.(input) ?? ""),
	};
}

// A field for a new password: tells, while one types, whether it would be refused, and how strong it is. The server
// knows more common words.
export function newPassword(more) {
	const rules = t("rules", site) + (site.password_refuse_common ? ` ${t("rules.common")}` : "");
	const meter = h("meter", { max: 4, low: 2, high: 3, optimum: 4, "aria-label": t("strength") }), told = h("span", { "aria-live": "polite" }, rules);
	const check = ({ value, form }) => {
		const lacks = site.password_length_least - new TextEncoder().encode(value).length;
		const own = (key) => (form.elements[key]?.value ?? user?.[key] ?? "").toLowerCase();
		if (lacks > 0) return t("short", { count: lacks });
		if (lacks < site.password_length_least - site.password_length_most) return t("long", site);
		return site.password_refuse_common && [own("name"), own("email"), own("email").split("@")[0]].includes(value.toLowerCase()) ? t("own") : "";
	};
	const oninput = ({ target }) => {
		// A step from one character to the next counts once: 1234 and aaaa have one.
		const refused = check(target), codes = [...target.value].map((one) => one.charCodeAt()), steps = new Set(codes.map((code, i) => code - codes[i - 1]));
		meter.value = refused ? 0 : Math.min(4, Math.max(1, Math.floor((codes.length + steps.size) / 6)));
		told.textContent = codes.length ? refused || t(`strength.${meter.value}`) : rules;
	};
	return { name: "new_password", type: "password", needed: true, autocomplete: "new-password", check, oninput, hint: [meter, told], ...more };
}

// save(values) does the work, done(answer) answers what is then shown. Whatever fails, what was typed stays.
export function form({ fields, submit, save, done, before, after }) {
	const rows = fields.map(field), find = (name) => rows.find((row) => row.name === name);
	const focus = () => rows.find(({ input }) => input.ariaInvalid)?.input.focus();
	const button = h("button.main", submit), note = h("span.note", { role: "status" }), problem = h("p.problem", { role: "alert" });

	// The button keeps the focus. Only the first of the seconds is read aloud.
	function wait(seconds, live) {
		button.ariaDisabled = seconds > 0 ? "true" : null;
		problem.ariaLive = live;
		problem.textContent = seconds > 0 ? t("wait", { seconds }) : "";
		if (seconds > 0) setTimeout(wait, 1000, seconds - 1, "off");
	}

	function refuse(error) {
		if (error.status === 429) return wait(error.retryAfter ?? 30, null);
		const tell = (row, text) => row ? row.refuse(text) : problem.append(text, " ");
		const { code = "" } = error, about = /EMAIL/.test(code) ? "email" : /_CRED|INCORRECT/.test(code) ? "password" : /PASSWORD/.test(code) ? "new_password" : /code/i.test(code) && "code";
		if (error.faults?.length) for (const { loc, msg } of error.faults) tell(find(loc[1]), msg);
		else tell(find(about) ?? (about && find("password")), explain(error));
		focus();
	}

	async function send() {
		note.textContent = problem.textContent = "";
		for (const row of rows) row.check();
		if (rows.some(({ input }) => input.ariaInvalid)) return focus();
		try {
			note.textContent = await done(await save(Object.fromEntries(rows.map(({ name, value }) => [name, value])))) ?? "";
		} catch (error) {
			refuse(error);
		}
	}

	return h("form", { novalidate: true, oninput: () => { note.textContent = ""; }, onsubmit: (event) => {
		event.preventDefault();
		if (!button.ariaDisabled) busy(button, send);
	} }, before, rows.map(({ element }) => element), h("div.actions", button, after, note), problem);
}

// ---- The session ----

let again;

// Where a sign-in has further steps, they take the place of its form; done() behind the last of them.
export const goOn = async (answer, form, done) => answer.next_step ? (await import("./factor.js")).step(answer, form, done) : done(answer);

const credentials = () => [{ name: "email", value: user.email, readonly: true, autocomplete: "username" },
	{ name: "password", type: "password", needed: true, autocomplete: "current-password", autofocus: true }];

// Asks for the password again, so that nothing on the page is lost. False: it was not given.
export async function signInAgain(title = t("again")) {
	if (!site.password_sign_in) return direct.sign_in({ email: "", password: "" }).then(() => true, () => false);
	const whole = form({
		before: t("again.text"),
		fields: credentials(),
		submit: t("sign_in"),
		save: direct.sign_in,
		done: (answer) => goOn(answer, whole, () => box.close("yes")),
	});
	const box = dialog(title, whole);
	return await box === "yes";
}

// The same for a change that has to be confirmed, in the session that there is.
async function confirm() {
	const box = dialog(t("confirm"), form({
		before: t("confirm.text"),
		fields: credentials(),
		submit: t("confirm"),
		save: ({ password }) => direct.confirm({ password }),
		done: () => box.close("yes"),
	}));
	return await box === "yes";
}

// The client. Where the session has ended meanwhile, or a change has to be confirmed, a call waits for the password.
export const api = Object.fromEntries(Object.entries(direct).map(([name, call]) => [name, (...given) => call(...given).catch(async (error) => {
	const way = hasEnded(error) ? () => signInAgain() : error.code === "CONFIRMATION_REQUIRED" && confirm;
	if (!user || !way) throw error;
	again ??= way().finally(() => { again = null; });
	if (!await again) throw error;
	return call(...given);
})]));

// Whoever comes back to the page learns whether the session still is theirs.
document.onvisibilitychange = () => {
	if (user && !document.hidden) api.session_get().then(({ id }) => { if (id !== user.id) location.reload(); }, () => {});
};

// ---- The page ----

// The links of the header: address and text.
const links = () => [["/account/", "account"], ...user.role === "admin" ? [["/admin/", "admin"]] : []];

const header = () => h("header", h("a.site", { href: "/account/" }, site.picture && h("img", { src: site.picture, alt: "", height: 28 }), site.name),
	user && h("nav", links().map(([href, key]) => h("a", { href, "aria-current": location.pathname.startsWith(href) && "page" }, t(key))), action(t("sign_out"), async () => {
		await direct.sign_out_post().catch((error) => { if (!hasEnded(error)) throw error; });
		location.assign("/account/sign-in");
	})));

function footer() {
	const choice = h("select", { "aria-label": t("language"), onchange: () => {
		localStorage.language = choice.value;
		location.reload();
	} }, Object.entries(languages).map(([key, name]) => h("option", { value: key, lang: key, selected: key === language }, name)));
	const offline = h("p", { class: "problem offline", role: "status" });
	window.onoffline = window.ononline = () => { offline.textContent = navigator.onLine ? "" : t("error.OFFLINE"); };
	return [h("footer", choice), offline];
}

// Shows a page. title: a key; who: "anyone", "user" (whoever is signed in), "admin"; build(data) answers what <main>
// holds. read() answers data, and is called while the texts are not there yet.
export async function start(title, who, build, read) {
	try {
		[site, user] = await facts;
		if (who !== "anyone" && !user) return location.replace(`/account/sign-in?rd=${encodeURIComponent(location.pathname + location.search + location.hash)}`);
		const isTheirs = who !== "admin" || user.role === who;
		const [data] = await Promise.all([isTheirs && read?.(), reading]);
		document.title = `${t(title)} – ${site.name}`;
		const main = h("main", h("h1", t(title)), isTheirs ? await build(data) : t("error.ACCESS_PROHIBITED"));
		document.body.replaceChildren(header(), main, ...footer());
		document.querySelector("[autofocus]")?.focus();
		if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
	} catch (error) {
		await reading.catch(() => {});
		document.body.replaceChildren(h("main", h("h1", t("error")), h("p.problem", { role: "alert" }, explain(error)), h("button", { onclick: () => location.reload() }, t("retry"))));
	}
}
