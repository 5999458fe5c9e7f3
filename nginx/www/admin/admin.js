// admin.js: what the pages for administrators share.
import { api, explain, h, start, t } from "/account/page.js";

const tabs = { "": "people", groups: "groups", access: "access", settings: "settings", status: "state" };

// A page: build() answers what stands below the tabs.
export const page = (title, build) => start(title, "admin", async () => h("div", { class: "wide" }, h("nav", { "aria-label": t("admin") }, Object.entries(tabs).map(([path, key]) =>
	h("a", { href: `/admin/${path}`, "aria-current": location.pathname === `/admin/${path}` && "page" }, t(key)))), await build()));

export const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", {}, title), content);
export const roles = () => ["pending", "user", "admin"].map((role) => [role, t(`role.${role}`)]);
export const groups = async () => (await api.groups_list()).sort((a, b) => a.name.localeCompare(b.name));
export const parameter = (name) => new URLSearchParams(location.search).get(name);
export const number = (value) => value.toLocaleString(document.documentElement.lang);
export const personLink = (id, name) => h("a", { href: `/admin/person?id=${encodeURIComponent(id)}` }, name);
export const words = (key) => key.toLowerCase().replaceAll("_", " ");

export const choice = (label, options, value, onchange) => {
	const select = h("select", { "aria-label": label, onchange: () => onchange?.(select.value) }, options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
	return select;
};

// A table of any width, which scrolls by itself.
export const table = (label, head, body) => h("div", { class: "table", tabindex: 0, role: "group", "aria-label": label }, h("table", {}, h("thead", {}, head), body));

// A table in pages of 30. columns: [key of its title, what the API calls its order]; read(state, { signal }) answers
// [rows, total]; cells(row); filters: [name, label, options]. The state stands in the address. chosen: a Map of the rows
// with a mark, by id, and changed() after each change of it.
export function sheet({ label, columns, filters = [], read, cells, chosen, changed }) {
	const state = Object.fromEntries(new URLSearchParams(location.search));
	const hidden = new Set(localStorage.hidden?.split(" "));
	const note = h("p", { role: "status" }), body = h("tbody");
	let running, timer, rows = [], total = 0;
	const box = (label, onchange) => h("input", { type: "checkbox", "aria-label": label, onchange });
	const all = chosen && box(t("choose.page"), () => choose(rows, all.checked));
	const heads = columns.map(([key, order]) => h("th", { scope: "col" }, order ? h("button", { type: "button", onclick: () => go({
		order_by: order, direction: state.order_by === order && state.direction === "asc" ? "desc" : "asc" }) }, t(key)) : t(key)));
	const step = (by) => h("button", { type: "button", onclick: () => go({ page: Number(state.page || 1) + by }) }, t(by < 0 ? "back" : "forward"));
	const back = step(-1), forward = step(1);

	function choose(some, isChosen) {
		for (const row of some) isChosen ? chosen.set(row.id, row) : chosen.delete(row.id);
		draw();
		changed();
	}

	function draw() {
		const first = (Number(state.page || 1) - 1) * 30, shown = (element, key) => { element.hidden = hidden.has(key); return element; };
		note.className = "quiet";
		note.textContent = rows.length ? t("shown", { from: number(first + 1), to: number(first + rows.length), total: number(total) }) : t("nobody");
		heads.forEach((head, i) => {
			shown(head, columns[i][0]).ariaSort = columns[i][1] && state.order_by === columns[i][1] ? state.direction === "asc" ? "ascending" : "descending" : null;
		});
		body.replaceChildren(...rows.map((row) => {
			const mark = chosen && box(`${t("choose")}: ${row.name}`, () => choose([row], mark.checked));
			if (mark) mark.checked = chosen.has(row.id);
			return h("tr", {}, mark && h("td", {}, mark), cells(row).map((cell, i) => shown(h("td", {}, cell), columns[i][0])));
		}));
		if (all) all.checked = rows.length > 0 && rows.every(({ id }) => chosen.has(id));
		back.disabled = first === 0;
		forward.disabled = first + rows.length >= total;
	}

	async function load() {
		running?.abort();
		const { signal } = running = new AbortController();
		body.ariaBusy = "true";
		try {
			[rows, total] = await read(state, { signal });
			draw();
		} catch (error) {
			if (signal.aborted) return;
			note.className = "problem";
			note.textContent = explain(error);
		}
		body.ariaBusy = null;
	}

	function go(change) {
		Object.assign(state, { page: "" }, change);
		for (const key in state) if (!state[key]) delete state[key];
		history.replaceState(null, "", `?${new URLSearchParams(state)}`);
		return load();
	}

	const search = h("input", { type: "search", "aria-label": t("search"), placeholder: t("search"), value: state.query, oninput: () => {
		clearTimeout(timer);
		timer = setTimeout(go, 150, { query: search.value });
	} });
	const element = [h("div", { class: "actions" }, search, filters.map(([name, text, options]) => choice(text, [["", text], ...options], state[name] ?? "", (value) => go({ [name]: value }))),
		columns.length > 5 && h("details", {}, h("summary", {}, t("columns")), columns.slice(1).map(([key]) => {
			const input = box(t(key), () => {
				hidden[input.checked ? "delete" : "add"](key);
				localStorage.hidden = [...hidden].join(" ");
				draw();
			});
			input.checked = !hidden.has(key);
			return h("label", {}, input, t(key), " ");
		}))), note, table(label, h("tr", {}, all && h("td", {}, all), heads), body), h("div", { class: "actions" }, back, forward)];
	return { element, load, state, draw, get total() { return total; } };
}
