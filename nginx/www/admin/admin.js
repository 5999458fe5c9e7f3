// admin.js: administration: what index.html shows for each address below /admin/, and what the modules share.
import { action, api, ask, explain, h, start, t } from "/account/page.js";

// The addresses behind /admin/, and their modules. Those with a tab come first.
const pages = { "": "people", groups: "groups", sessions: "lists", keys: "lists", audit: "audit", settings: "settings", status: "status", person: "person" };
const tabs = Object.entries(pages).slice(0, 7);
const last = location.pathname.split("/").at(-1);
export const path = pages[last] ? last : "";
const title = (to) => ({ "": "people", status: "state" })[to] ?? to;

// The page: build and read as of start; build answers what stands below the tabs.
export const page = (build, read) => start(title(path), "admin", async (data) => h("div.wide", h("nav", { "aria-label": t("admin") }, tabs.map(([to]) =>
	h("a", { href: `/admin/${to}`, "aria-current": to === path && "page" }, t(title(to))))), await build(data)), read);

export const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", title), content);
export const roles = () => ["pending", "user", "admin"].map((role) => [role, t(`role.${role}`)]);
export const groups = async () => (await api.groups_list()).sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
export const id = new URLSearchParams(location.search).get("id");
export const number = (value) => value.toLocaleString(document.documentElement.lang);
export const link = (to, id, name) => h("a", { href: `/admin/${to}?id=${encodeURIComponent(id)}` }, name);
export const day = (days) => String(Math.floor(Date.now() / 864e5 - days) * 86400);
export const words = (key) => key.toLowerCase().replaceAll("_", " ");

export const choice = (label, options, value, onchange) => h("select", { "aria-label": label, onchange: ({ target }) => onchange?.(target.value) },
	options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));

// A button that changes something of who or what has the name; asks: only after a question.
export const deed = (key, name, work, asks) => action(t(key), async () => {
	if (!asks || await ask(t(key), asks === true ? name : [name, asks], t(key))) return work();
}, { "aria-label": `${t(key)}: ${name}`, class: asks && "danger" });

// Whom an address belongs to, with the account. A search finds who has it as a part of theirs, too.
export async function find(email) {
	email = email.trim().toLowerCase();
	for (let page = 1; ; page++) {
		const { users } = await api.users_list({ query: email, include: "account", page });
		const one = users.find((user) => user.email === email);
		if (one || users.length === 0) return one;
	}
}

// Saves what others may change, too. send(values, before) says how it was; after a 412, the error tells what is otherwise
// now, and the next time that is overwritten.
export const saves = (before, read, send) => async (values) => {
	try {
		before = await send(values, before);
	} catch (error) {
		if (error.status !== 412) throw error;
		const old = before;
		before = await read();
		throw Object.assign(error, { code: "changed", now: differences(old, before).join(", ") });
	}
};

const differences = (old, now, place = "") => Object.entries(now ?? {}).flatMap(([key, value]) => value instanceof Object ? differences(old?.[key], value, `${words(key)} `)
	: value === old?.[key] || key === "updated_at" ? [] : `${place}${words(key)}: ${value}`);

// ---- Tables ----

const wide = (label, head, body) => h("div.table", { tabindex: 0, role: "group", "aria-label": label }, h("table", head && h("thead", h("tr", head)), body));

// A table of any width, which scrolls by itself. keys: of the titles, or null; the first cell of a row is its name.
export const table = (label, keys, rows) => wide(label, keys?.map((key) => h("th", { scope: "col" }, t(key))), h("tbody", rows.map(([name, ...cells]) => h("tr", h("th", { scope: "row" }, name), cells.map((cell) => h("td", cell))))));

// A table in pages. columns: [key of the title, what the API calls its order, cell(row)]. read(state, { signal })
// answers as the API does: a list, next where pages are read behind each other, and total or not. filters: [name, label, options].
// The state stands in the address, or is `only`. chosen: a Map of the rows with a mark, changed() is called after each
// change of it.
export function sheet({ label, columns, filters = [], read, only, chosen, changed, size = 30, find = t("search") }) {
	const state = only ?? Object.fromEntries(new URLSearchParams(location.search)), hidden = new Set(localStorage.hidden?.split(" ")), places = [];
	const note = h("p", { role: "status" }), body = h("tbody"), at = () => Number(state.page || 1);
	let running, timer, rows = [], total = 0, marks = [];
	const box = (label, onchange, checked) => h("input", { type: "checkbox", "aria-label": label, onchange, checked });
	const all = chosen && box(t("choose.page"), () => choose(rows, all.checked));
	const head = columns.map(([key, order]) => h("th", { scope: "col" }, order ? h("button", { onclick: () => go({
		order_by: order, direction: state.order_by === order && state.direction === "asc" ? "desc" : "asc" }) }, t(key)) : t(key)));
	const step = (key, by) => h("button", { onclick: () => go({ page: at() + by, after: places[at() + by] }).then(() => note.scrollIntoView({ block: "nearest" })) }, t(key));
	const back = step("back", -1), forward = step("forward", 1), pager = h("div.actions", back, forward);

	function mark() {
		marks.forEach((input, i) => { input.checked = chosen.has(rows[i].id); });
		if (all) all.checked = rows.length > 0 && marks.every(({ checked }) => checked);
	}

	function choose(some, isChosen) {
		for (const row of some) isChosen ? chosen.set(row.id, row) : chosen.delete(row.id);
		mark();
		changed();
	}

	// Where the focus was in a row, it stays there.
	function draw() {
		const first = (at() - 1) * size, focused = [...body.rows].findIndex((row) => row.contains(document.activeElement));
		note.className = "quiet";
		note.textContent = rows.length ? t("shown", { from: first + 1, to: first + rows.length, total }) : t("nobody");
		head.forEach((cell, i) => {
			const [key, order] = columns[i];
			cell.hidden = hidden.has(key);
			cell.ariaSort = order && state.order_by === order ? state.direction === "asc" ? "ascending" : "descending" : null;
		});
		marks = chosen ? rows.map((row) => box(`${t("choose")}: ${row.name}`, ({ target }) => choose([row], target.checked))) : [];
		body.replaceChildren(...rows.map((row, i) => h("tr", chosen && h("td", marks[i]), columns.map(([key, , cell]) => h("td", { hidden: hidden.has(key) }, cell(row))))));
		mark();
		back.disabled = first === 0;
		forward.disabled = first + rows.length >= total;
		pager.hidden = back.disabled && forward.disabled;
		if (focused >= 0) (body.rows[Math.min(focused, rows.length - 1)]?.querySelector("button, input") ?? element.at(-2)).focus();
	}

	async function load() {
		running?.abort();
		const { signal } = running = new AbortController();
		body.ariaBusy = "true";
		try {
			const answer = await read(state, { signal });
			rows = Object.values(answer).find(Array.isArray);
			total = answer.total ?? (answer.next ? "…" : (at() - 1) * size + rows.length);
			if (!rows.length && at() > 1) return go({});
			places[at() + 1] = answer.next;
			draw();
		} catch (error) {
			if (signal.aborted) return;
			note.className = "problem";
			note.textContent = explain(error);
		}
		body.ariaBusy = null;
	}

	function go(change) {
		Object.assign(state, { page: "", after: "" }, change);
		for (const key in state) if (!state[key]) delete state[key];
		if (!only) history.replaceState(null, "", `?${new URLSearchParams(state)}`);
		return load();
	}

	const search = h("input", { type: "search", "aria-label": find, placeholder: find, value: state.query, autofocus: !id, oninput: () => {
		clearTimeout(timer);
		timer = setTimeout(go, 150, { query: search.value });
	}, onkeydown: ({ key }) => key === "Enter" && body.querySelector("a")?.focus() });
	const shown = columns.length > 5 && h("details", h("summary", t("columns")), columns.slice(1).map(([key]) => h("label", box(t(key), ({ target }) => {
		hidden[target.checked ? "delete" : "add"](key);
		localStorage.hidden = [...hidden].join(" ");
		draw();
	}, !hidden.has(key)), t(key), " ")));
	const element = [!only && h("div.actions", search, filters.map(([name, text, options]) => choice(text, [["", text], ...options], state[name] ?? "", (value) => go({ [name]: value }))), shown),
		note, wide(label, [all && h("td", all), head], body), pager];
	addEventListener("online", load);
	return { element, load, state, mark, get total() { return total; } };
}

import(`./${pages[path]}.js`);
