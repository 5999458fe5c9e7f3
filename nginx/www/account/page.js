// page.js: what all pages share. HACKING, Pages, tells how a page is made.
import { client, RosterError } from "./client.js";

const direct = client();
const hasEnded = ({ code }) => ["NOT_AUTHENTICATED", "UNAUTHORIZED", "INVALID_TOKEN"].includes(code);

// Asked for while the texts are read.
const facts = Promise.all([direct.site(), direct.session_get().catch((error) => {
	if (hasEnded(error) || error.code === "PASSWORD_CHANGE_REQUIRED") return null;
	throw error;
})]);
facts.catch(() => {}); // start tells

// ---- Texts ----

const languages = { en: "English", de: "Deutsch" };
export const language = [localStorage.language, ...navigator.languages].map((name) => name?.slice(0, 2)).find((name) => languages[name]) ?? "en";
document.documentElement.lang = language;
let texts = {};

// A line of the file is a key, and its text.
const reading = fetch(`/account/${language}.txt`).then(async (answer) => {
	texts = Object.fromEntries((await answer.text()).split("\n").map((line) => line.split(/ (.*)/)));
});
reading.catch(() => {}); // start tells

// The text of a key; {name} becomes values.name. There are none before start calls build.
export function t(key, values) {
	if (!texts[key]) console.error(`no text: ${key}`);
	return (texts[key] ?? key).replace(/{(\w+)}/g, (_, name) => values[name]);
}

// ---- Elements ----

// An element: h("p", { class: "quiet", onclick: f }, "text", another, null).
export function h(tag, attributes, ...children) {
	const element = document.createElement(tag);
	for (const [key, value] of Object.entries(attributes ?? {})) {
		if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
		else if ((value ?? false) !== false) element.setAttribute(key, value === true ? "" : value);
	}
	put(element, children);
	return element;
}

// Appends elements, texts, and lists of them.
export function put(element, ...children) {
	for (const child of children.flat(9)) {
		if (child?.constructor === Object) throw new TypeError("this is no text");
		if ((child ?? false) !== false) element.append(child);
	}
}

export const date = (seconds) => new Date(seconds * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });

// "5 minutes ago".
export function when(seconds) {
	const ahead = seconds - Date.now() / 1000;
	const [size, unit] = [[31557600, "year"], [2629800, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [0]].find(([least]) => Math.abs(ahead) >= least);
	return h("time", { title: date(seconds) }, unit ? new Intl.RelativeTimeFormat(language).format(Math.round(ahead / size), unit) : t("now"));
}

// A User-Agent in words: "Firefox, Linux".
export function device(agent) {
	const find = (names) => names.find((name) => agent?.includes(name));
	const words = [find(["Edg", "OPR", "Firefox", "FxiOS", "Chrom", "CriOS", "Safari"]), find(["iPhone", "iPad", "Android", "Windows", "Mac", "CrOS", "Linux"])];
	const whole = { Edg: "Edge", OPR: "Opera", FxiOS: "Firefox", Chrom: "Chrome", CriOS: "Chrome", CrOS: "ChromeOS" };
	return words.filter(Boolean).map((word) => whole[word] ?? word).join(", ") || agent?.split("/")[0] || t("unknown");
}

// The picture of a person, or the initials.
export const picture = ({ id, updated_at }, size) =>
	h("img", { class: "picture", src: `/api/v1/users/${id}/profile/image?initials=1&${updated_at}`, width: size, height: size, alt: "" });

// ---- What happens ----

// An error as a sentence.
export function explain(error) {
	if (error instanceof Error && !(error instanceof RosterError)) console.error(error);
	const key = `error.${error.code ?? "page"}`;
	return texts[key] ? t(key, error) : error.detail;
}

// Does the work once, however often the button is clicked.
export async function busy(button, work) {
	if (button.ariaBusy) return;
	button.ariaBusy = "true";
	await work().finally(() => { button.ariaBusy = null; });
}

// A button that does something at once; behind it stands what work() answers, or its error.
export function action(label, work, attributes) {
	const note = h("span", { role: "status" });
	const tell = (name, text) => { note.className = name; note.textContent = text ?? ""; };
	const button = h("button", { type: "button", ...attributes, onclick: () => busy(button, async () => {
		tell("", "");
		button.after(note);
		await work().then((text) => tell("note", text), (error) => tell("problem", explain(error)));
	}) }, label);
	return button;
}

// A promise of the value of the button that closes the dialog, "" after Escape; close(value) closes it.
export function dialog(title, ...content) {
	const box = h("dialog", { "aria-label": title }, h("h2", {}, title), content);
	document.body.append(box);
	box.showModal();
	return Object.assign(new Promise((resolve) => box.addEventListener("close", () => {
		box.remove();
		resolve(box.returnValue);
	})), { close: (value) => box.close(value) });
}

// Asks: true where the button `yes` was chosen.
export const ask = async (title, content, yes, kind = "danger") => await dialog(title, h("form", { method: "dialog" }, content,
	h("div", { class: "actions" }, h("button", { class: kind, value: "yes" }, yes), h("button", { value: "" }, t("cancel"))))) === "yes";

// ---- Forms ----

let ids = 0;

// type: of <input>, or textarea. options: [[value, text]] of a select.
export function field({ name, label, type = "text", value = "", hint, needed, options, ...attributes }) {
	const id = `i${++ids}`, isBox = type === "checkbox";
	const input = h(options ? "select" : type === "textarea" ? type : "input", { id, name, type, "aria-describedby": `${id}p`, "aria-required": needed && "true", ...attributes },
		options?.map(([key, text]) => h("option", { value: key }, text)));
	input[isBox ? "checked" : "value"] = value;
	const problem = h("span", { class: "problem" });
	return {
		name, needed, input,
		element: h("div", { class: `field ${type}` }, h("label", { for: id }, label), input, h("p", { id: `${id}p`, class: "quiet" }, problem, " ", hint)),
		get value() { return isBox ? input.checked : input.value; },
		refuse(text) {
			problem.textContent = text;
			input.ariaInvalid = text ? "true" : null;
		},
	};
}

// Which field an error is about.
const about = { INVALID_CRED: "password", EMAIL_TAKEN: "email", INVALID_EMAIL_FORMAT: "email", INCORRECT_PASSWORD: "password", INVALID_PASSWORD: "new_password", PASSWORD_TOO_LONG: "new_password" };

// save(values) does the work, done(answer) answers what is then shown. Whatever fails, what was typed stays.
export function form({ fields, submit, save, done, before, after }) {
	const rows = fields.map(field);
	const find = (name) => rows.find((row) => row.name === name);
	const invalid = () => rows.find(({ input }) => input.ariaInvalid)?.input;
	const button = h("button", { class: "main" }, submit);
	const note = h("span", { class: "note", role: "status" });
	const problem = h("p", { class: "problem", role: "alert" });

	function wait(seconds) {
		button.disabled = seconds > 0;
		problem.textContent = seconds > 0 ? t("wait", { seconds }) : "";
		if (seconds > 0) setTimeout(wait, 1000, seconds - 1);
	}

	function refuse(error) {
		if (error.status === 429) return wait(error.retryAfter ?? 30);
		const place = (name, text) => find(name) ? find(name).refuse(text) : problem.append(text, " ");
		for (const { loc, msg } of error.faults ?? []) place(loc[1], msg);
		const name = about[error.code];
		if (!error.faults?.length) place(find(name) || !name ? name : "password", explain(error));
		invalid()?.focus();
	}

	async function send() {
		note.textContent = problem.textContent = "";
		for (const { input, needed, value, refuse } of rows) {
			const isNoNumber = input.type === "number" && !input.validity.valid;
			refuse(needed && !value.trim() || isNoNumber ? t("missing") : "");
		}
		if (invalid()) return invalid().focus();
		try {
			note.textContent = await done(await save(Object.fromEntries(rows.map(({ name, value }) => [name, value])))) ?? "";
		} catch (error) {
			refuse(error);
		}
	}

	return h("form", { novalidate: true, oninput: () => { note.textContent = ""; }, onsubmit: (event) => {
		event.preventDefault();
		if (!button.disabled) busy(button, send);
	} }, before, rows.map(({ element }) => element), h("div", { class: "actions" }, button, after, note), problem);
}

// ---- The session ----

let again;

// What everybody may know of the site; who is signed in, or null. start sets both.
export let site, user;

// Asks for the password again, so that nothing on the page is lost. False: it was not given.
async function signInAgain() {
	const box = dialog(t("again"), form({
		before: t("again.text"),
		fields: [{ name: "email", label: t("email"), value: user.email, readonly: true, autocomplete: "username" },
			{ name: "password", label: t("password"), type: "password", needed: true, autocomplete: "current-password", autofocus: true }],
		submit: t("sign_in"),
		save: direct.sign_in,
		done: () => box.close("yes"),
	}));
	return await box === "yes";
}

// The client. Where the session has ended meanwhile, a call waits until the person has signed in again.
export const api = Object.fromEntries(Object.entries(direct).map(([name, call]) => [name, (...given) => call(...given).catch(async (error) => {
	if (!user || !hasEnded(error)) throw error;
	again ??= signInAgain().finally(() => { again = null; });
	if (!await again) throw error;
	return call(...given);
})]));

// What is expected of a new password.
export const rules = () => t("rules", site) + (site.password_refuse_common ? ` ${t("rules.common")}` : "");

// The links of the header: address, text, and who sees them.
const links = [["/account/", "account", () => true], ["/admin/", "admin", () => user.role === "admin"]];

const header = () => h("header", {}, h("a", { class: "site", href: "/account/" }, site.picture && h("img", { src: site.picture, alt: "", height: 28 }), site.name),
	user && h("nav", {}, links.filter(([, , sees]) => sees()).map(([href, key]) => h("a", { href, "aria-current": location.pathname.startsWith(href) && "page" }, t(key))),
		action(t("sign_out"), async () => {
			await direct.sign_out_post();
			location.assign("/account/sign-in");
		})));

function footer() {
	const choice = h("select", { "aria-label": t("language"), onchange: () => {
		localStorage.language = choice.value;
		location.reload();
	} }, Object.entries(languages).map(([key, name]) => h("option", { value: key, lang: key, selected: key === language }, name)));
	return h("footer", {}, choice);
}

// Shows a page. title: a key; who: "anyone", "user" (whoever is signed in), "admin"; build() answers what <main> holds.
export async function start(title, who, build) {
	const main = h("main");
	try {
		await reading;
		[site, user] = await facts;
		document.title = `${t(title)} – ${site.name}`;
		if (who !== "anyone" && !user) return location.replace(`/account/sign-in?rd=${encodeURIComponent(location.pathname + location.search + location.hash)}`);
		put(main, h("h1", {}, t(title)), who === "admin" && user.role !== who ? t("error.ACCESS_PROHIBITED") : await build());
		document.body.replaceChildren(header(), main, footer());
		document.querySelector("[autofocus]")?.focus();
		if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
	} catch (error) {
		put(main, h("h1", {}, t("error")), h("p", { class: "problem", role: "alert" }, explain(error)), h("button", { onclick: () => location.reload() }, t("retry")));
		document.body.replaceChildren(main);
	}
}
