// people.js: /admin/: everybody, changes of many at once, and new people.
import { action, api, ask, dialog, explain, form, h, t, when } from "/account/page.js";
import { choice, groups, number, page, personLink, roles, section, sheet, table } from "./admin.js";

const day = (days) => String(Math.floor(Date.now() / 864e5 - days) * 86400);

// What the list is asked for, of what stands in the address.
const match = ({ query, role, group, disabled, active_since }) => ({ query, role, group, disabled, active_since });

// One change of many, in parts; how far it came, whatever happens.
async function run(change, ids, query, tell) {
	const sum = { changed: 0, unchanged: 0, refused: [], changes: [] };
	const size = change.dry_run ? 1000 : 100;
	const parts = ids ? Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size)) : [null];
	try {
		for (const user_ids of parts) {
			for (let after; after !== null;) {
				const answer = await api.users_bulk({ ...change, after, ...user_ids ? { user_ids } : { everybody: true } }, user_ids ? {} : query);
				for (const key in sum) sum[key] = Array.isArray(sum[key]) ? sum[key].concat(answer[key]) : sum[key] + answer[key];
				tell?.(sum);
				after = answer.next;
			}
		}
	} catch (error) {
		sum.error = error;
	}
	return sum;
}

// The changes that take one back.
function reverse({ action, group_id }, changes) {
	const back = { add_to_group: "remove_from_group", remove_from_group: "add_to_group", disable: "enable", enable: "disable" }[action];
	if (action === "role") return roles().map(([role]) => [{ action, role }, changes.filter((one) => one.role === role)]);
	return back ? [[{ action: back, group_id }, changes]] : [];
}

const refusals = ({ refused }, names) => refused.length > 0 && h("ul", {}, refused.slice(0, 20).map(({ id, detail }) => h("li", {}, names.get(id)?.name ?? id, ": ", detail)), refused.length > 20 && h("li", {}, "…"));

function changeMany(list, chosen, allGroups) {
	const bar = h("div", { class: "actions" }), told = h("div", { role: "status" });
	let everybody = false;
	const options = [...roles().map(([role, text]) => [`role ${role}`, `${t("role")}: ${text}`]), ["disable", t("disable")], ["enable", t("enable")], ["delete", t("delete")],
		...allGroups.flatMap(({ id, name }) => [[`add_to_group ${id}`, `${t("join")}: ${name}`], [`remove_from_group ${id}`, `${t("leave")}: ${name}`]])];
	const what = choice(t("do"), options);

	async function go() {
		const [, action, value] = what.value.match(/^(\w+) ?(.*)$/);
		const change = { action, ...action === "role" ? { role: value } : value ? { group_id: value } : {} };
		const ids = everybody ? null : [...chosen.keys()], query = match(list.state);
		const preview = await run({ ...change, dry_run: true }, ids, query);
		if (preview.error) throw preview.error;
		const label = what.selectedOptions[0].textContent;
		if (!await ask(label, [h("p", {}, t("preview", { changed: number(preview.changed), unchanged: number(preview.unchanged), refused: preview.refused.length })), refusals(preview, chosen)],
			label, action === "delete" ? "danger" : "main")) return;
		const sum = await run(change, ids, query, ({ changed }) => told.replaceChildren(t("progress", { changed: number(changed), total: number(preview.changed) })));
		const undo = action !== "delete" && sum.changed > 0 && actionUndo(change, sum.changes);
		told.replaceChildren(h("p", {}, t("done", { label, changed: number(sum.changed), refused: sum.refused.length }), " ", undo), refusals(sum, chosen) || "", sum.error ? h("p", { class: "problem" }, explain(sum.error)) : "");
		everybody = false;
		chosen.clear();
		await list.load();
		show();
	}

	const actionUndo = (change, changes) => action(t("undo"), async () => {
		let count = 0;
		for (const [back, some] of reverse(change, changes)) {
			const sum = await run(back, some.map(({ id }) => id));
			count += sum.changed;
			if (sum.error) throw sum.error;
		}
		told.replaceChildren(t("undone", { count: number(count) }));
		await list.load();
	});

	const button = action(t("check"), go, { class: "main" });
	function show() {
		everybody &&= chosen.size > 0;
		bar.hidden = chosen.size === 0;
		bar.replaceChildren(t("chosen", { count: number(everybody ? list.total : chosen.size) }), !everybody && list.total > chosen.size ? h("button", { onclick: () => { everybody = true; show(); } }, t("choose.all", { total: number(list.total) })) : "",
			h("button", { onclick: () => { chosen.clear(); list.draw(); show(); } }, t("clear")), what, button);
	}
	show();
	return { element: h("div", { class: "bar" }, told, bar), show };
}

// ---- New people ----

const password = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(15))));

// Rows of CSV (RFC 4180), separated by comma, semicolon or tab.
const csv = (text) => text.split(/\r?\n(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((line) =>
	[...line.matchAll(/(?:^|[,;\t])(?:"((?:[^"]|"")*)"|([^,;\t]*))/g)].map(([, quoted, bare]) => (quoted?.replaceAll('""', '"') ?? bare).trim()));

// What each line of a list says: { line, name, email, role, password, fault }. Without a head, the address is the cell
// that looks like one. "Ada <ada@example.org>" counts, too.
function readPeople(text) {
	const rows = csv(text), head = rows[0].map((cell) => cell.toLowerCase()), hasHead = head.includes("email"), seen = new Set();
	return rows.flatMap((row, i) => {
		if ((hasHead && i === 0) || row.join("") === "") return [];
		const mail = row.join(" ").match(/^(.*?)\s*<(\S+@\S+)>$/);
		const cell = (key) => row[head.indexOf(key)], address = row.find((value) => value.includes("@")) ?? "";
		const one = hasHead ? { name: cell("name"), email: cell("email"), role: cell("role"), password: cell("password") }
			: mail ? { name: mail[1], email: mail[2] } : { email: address, name: row.find((value) => value !== address), role: row.slice(1).find((value) => roles().some(([role]) => role === value)) };
		one.name ||= one.email.split("@")[0];
		one.role ||= "user";
		const key = one.email?.toLowerCase();
		const fault = !/^\S+@\S+$/.test(key ?? "") ? t("error.INVALID_EMAIL_FORMAT") : seen.has(key) ? t("twice") : roles().every(([role]) => role !== one.role) ? t("no_role") : "";
		seen.add(key);
		return [{ line: i + 1, ...one, fault }];
	});
}

const add = (one) => api.user_add({ name: one.name, email: one.email, role: one.role, password: one.password || (one.password = password()) });

// A file with the passwords that were made.
const passwords = (people) => h("a", { download: "passwords.csv", href: URL.createObjectURL(new Blob(["name,email,password\n", ...people.map(({ name, email, password }) =>
	`${[name, email, password].map((cell) => `"${cell.replaceAll('"', '""')}"`).join()}\n`)], { type: "text/csv" })) }, t("passwords"));

function addMany(list) {
	const text = h("textarea", { rows: 6, "aria-label": t("many"), placeholder: "Ada Lovelace, ada@example.org, user" }), told = h("div", { role: "status" });
	const file = h("input", { type: "file", accept: ".csv,text/*", "aria-label": t("file"), onchange: async () => { text.value = await file.files[0].text(); } });
	const show = (people) => table(t("many"), h("tr", {}, ["line", "name", "email", "role", "result"].map((key) => h("th", { scope: "col" }, t(key)))),
		h("tbody", {}, people.map((one) => h("tr", {}, [one.line, one.name, one.email, one.role, one.fault ? h("span", { class: "problem" }, one.fault) : one.isDone ? t("made") : t("ready")].map((cell) => h("td", {}, cell))))));
	return [h("p", { class: "quiet" }, t("many.text")), text, h("div", { class: "actions" }, file, action(t("check"), async () => {
		const people = readPeople(text.value), good = people.filter(({ fault }) => !fault);
		const create = action(t("create", { count: good.length }), async () => {
			for (const one of good.filter(({ isDone }) => !isDone)) {
				one.fault = await add(one).then(() => { one.isDone = true; }, explain);
				told.replaceChildren(show(people));
			}
			const made = good.filter(({ isDone }) => isDone);
			told.append(h("p", {}, t("created", { count: made.length }), " ", made.length ? passwords(made) : ""));
			await list.load();
		}, { class: "main" });
		told.replaceChildren(show(people), good.length ? create : "");
	})), told];
}

const addPeople = (list) => dialog(t("new"), form({
	fields: [{ name: "name", label: t("name"), needed: true }, { name: "email", label: t("email"), type: "email", needed: true },
		{ name: "role", label: t("role"), value: "user", options: roles() }, { name: "password", label: t("password"), hint: t("password.made"), autocomplete: "off" }],
	submit: t("create", { count: 1 }),
	save: async (one) => { await add(one); return one; },
	done: async (one) => { await list.load(); return t("created.one", one); },
}), section(t("many"), addMany(list)), h("form", { method: "dialog" }, h("button", {}, t("close"))));

page("people", async () => {
	const allGroups = await groups(), chosen = new Map();
	const list = sheet({
		label: t("people"), chosen, changed: () => many.show(),
		columns: [["name", "name"], ["email", "email"], ["role", "role"], ["standing"], ["groups"], ["active", "last_active_at"], ["since", "created_at"]],
		filters: [["role", t("role"), roles()], ["group", t("groups"), allGroups.map(({ id, name }) => [id, name])], ["disabled", t("standing"), [["false", t("enabled")], ["true", t("disabled")]]],
			["active_since", t("active"), [1, 7, 30, 365].map((days) => [day(days), t("days", { days })])]],
		read: async (state, options) => {
			const { users, total } = await api.users_list({ ...state, include: "account" }, options);
			return [users, total];
		},
		cells: (one) => [personLink(one.id, one.name), one.email, t(`role.${one.role}`), t(one.account.disabled ? "disabled" : "enabled"),
			one.group_ids.map((id) => allGroups.find((group) => group.id === id)?.name).filter(Boolean).join(", "), when(one.last_active_at), when(one.created_at)],
	});
	const many = changeMany(list, chosen, allGroups);
	await list.load();
	many.show();
	return [h("div", { class: "actions" }, action(t("new"), () => addPeople(list), { class: "main" })), list.element, many.element];
});
