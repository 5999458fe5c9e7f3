// people.js: /admin/: everybody, changes of many at once, and new people.
import { action, api, ask, dialog, explain, form, h, site, t, when } from "/account/page.js";
import { choice, day, groups, link, number, page, roles, section, sheet, table } from "./admin.js";

// One change of many, in parts; how far it came, whatever happens. ids: null for all whom the query matches.
async function run(change, ids, query, tell) {
	const sum = { changed: 0, unchanged: 0, refused: [], changes: [] }, size = change.dry_run ? 1000 : 100;
	try {
		for (let first = 0; first < (ids?.length ?? 1); first += size) {
			for (let after; after !== null;) {
				const answer = await api.users_bulk({ ...change, after, ...ids ? { user_ids: ids.slice(first, first + size) } : { everybody: true } }, query);
				for (const key in sum) sum[key] = sum[key].concat?.(answer[key]) ?? sum[key] + answer[key];
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
	return back ? [[{ action: back, group_id }, changes]] : roles().map(([role]) => [{ action, role }, changes.filter((one) => one.role === role)]);
}

function changeMany(list, chosen, all) {
	const bar = h("div", { class: "bar actions" }), told = h("div", { role: "status", tabindex: -1 });
	let everybody = false;
	const what = choice(t("do"), [...roles().map(([role, text]) => [`role ${role}`, `${t("role")}: ${text}`]), ...["disable", "enable", "delete"].map((key) => [key, t(key)]),
		...all.flatMap(({ id, name }) => [[`add_to_group ${id}`, `${t("join")}: ${name}`], [`remove_from_group ${id}`, `${t("leave")}: ${name}`]])]);
	const refusals = ({ refused }, names) => refused.length > 0 && h("ul", refused.slice(0, 20).map(({ id, detail }) => h("li", names.get(id)?.name ?? id, ": ", detail)), refused.length > 20 && h("li", "…"));

	async function go() {
		const [, action, value] = what.value.match(/^(\w+) ?(.*)$/), label = what.selectedOptions[0].textContent;
		const change = { action, [action === "role" ? "role" : "group_id"]: value || null };
		const ids = everybody ? null : [...chosen.keys()], query = ids ? {} : list.state, names = new Map(chosen);
		const preview = await run({ ...change, dry_run: true }, ids, query);
		if (preview.error) throw preview.error;
		const { changed, unchanged, refused } = preview;
		if (!await ask(label, [h("p", t("preview", { changed, unchanged, refused: refused.length })), refusals(preview, names)], label, action === "delete" ? "danger" : "main")) return;
		const sum = await run(change, ids, query, (now) => told.replaceChildren(t("progress", { changed: now.changed, total: changed })));
		told.replaceChildren(h("p", t("done", { label, changed: sum.changed, refused: sum.refused.length }), " ", action !== "delete" && sum.changed > 0 && undo(change, sum.changes)),
			refusals(sum, names) || "", sum.error ? h("p.problem", explain(sum.error)) : "");
		clear();
		await list.load();
		told.querySelector("button")?.focus();
	}

	const undo = (change, changes) => action(t("undo"), async () => {
		let count = 0;
		for (const [back, some] of reverse(change, changes)) {
			const sum = await run(back, some.map(({ id }) => id), {});
			count += sum.changed;
			if (sum.error) throw sum.error;
		}
		told.replaceChildren(t("undone", { count }));
		told.focus();
		await list.load();
	});

	function clear() {
		chosen.clear();
		list.mark();
		show();
	}

	const count = h("span", { role: "status" }), check = action(t("check"), go, { class: "main" }), whole = h("button", { onclick: () => show(true) });
	bar.append(count, whole, h("button", { onclick: clear }, t("clear")), what, check);
	function show(isEverybody = false) {
		everybody = isEverybody;
		bar.hidden = chosen.size === 0;
		count.textContent = t("chosen", { count: everybody ? list.total : chosen.size });
		whole.textContent = t("choose.all", { total: list.total });
		whole.hidden = everybody || list.total <= chosen.size;
	}
	show();
	return { element: [told, bar], show };
}

// ---- New people ----

const password = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte, i) => (i && i % 4 === 0 ? "-" : "") + "abcdefghijkmnpqrstuvwxyz23456789"[byte % 32]).join("");

// Rows of CSV (RFC 4180) with their lines. Cells end with the first of comma, semicolon and tab that there is.
function csv(text) {
	const mark = text.match(/[,;\t]/)?.[0] ?? ",", rows = [];
	let row = [], line = 1, next = 1;
	for (const [whole, quoted, bare, end] of text.matchAll(new RegExp(`(?:"((?:""|[^"])*)"|([^${mark}\r\n]*))(\r?\n|${mark}|$)`, "g"))) {
		row.push(quoted?.replaceAll('""', '"') ?? bare.trim());
		next += whole.split("\n").length - 1;
		if (end === mark) continue;
		if (row.join("")) rows.push({ line, row });
		[row, line] = [[], next];
	}
	return rows;
}

// What each line of a list says, and why it can't be: { line, name, email, role, password, fault }. Without a head, the address
// is the cell that looks like one. "Ada <ada@example.org>" counts, too.
async function readPeople(text) {
	const rows = csv(text), head = rows[0].row.map((cell) => cell.trim().toLowerCase()), hasHead = head.includes("email"), seen = new Set(), refused = new Map();
	const people = rows.slice(hasHead ? 1 : 0).map(({ line, row }) => {
		const mail = row.join(" ").match(/^(.*?)\s*<(\S+)>$/), isRole = (cell) => roles().some(([role]) => role === cell), address = row.find((cell) => cell.includes("@")) ?? row[0];
		const one = hasHead ? Object.fromEntries(head.map((key, i) => [key, row[i]])) : mail ? { name: mail[1], email: mail[2] } : { email: address, name: row.find((cell) => cell !== address && !isRole(cell)), role: row.find(isRole) };
		const { email = "", role, name, password } = one;
		return { line, name: (name || email.split("@")[0]).trim().replace(/\s+/g, " "), email, role: role || "user", password };
	});
	for (let first = 0; first < people.length; first += 1000)
		for (const one of await api.user_add_check({ emails: people.slice(first, first + 1000).map(({ email }) => email) })) refused.set(one.email, explain(one));
	for (const one of people) {
		const key = one.email.toLowerCase();
		one.fault = refused.get(one.email) ?? (seen.has(key) ? t("twice") : roles().every(([role]) => role !== one.role) ? t("no_role") : "");
		seen.add(key);
	}
	return people;
}

// one.made: the password, where none was given.
const add = (one, must_change) => {
	one.made ??= one.password ? "" : password();
	return api.user_add({ name: one.name, email: one.email, role: one.role, password: one.password || one.made, must_change });
};

// The passwords that were made. They are not shown again.
function passwords(people) {
	const text = `name,email,password\n${people.map((one) => [one.name, one.email, one.made].map((cell) => `"${cell.replaceAll('"', '""')}"`).join()).join("\n")}\n`;
	return h("p.actions", t("keys.once"), action(t("keys.copy"), () => navigator.clipboard.writeText(text).then(() => t("keys.copied"))),
		h("a", { download: "passwords.csv", href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) }, t("passwords")));
}

function preview(people, must_change, list) {
	const good = people.filter(({ fault }) => !fault), after = h("div", { role: "status" });
	for (const one of people) one.told = h("span", { class: one.fault && "problem" }, one.fault || t("ready"));
	people.sort((a, b) => !a.fault - !b.fault);
	const create = action(`${t("create")} (${number(good.length)})`, async () => {
		for (const one of good) {
			if (!one.isDone) await add(one, must_change).then(() => {
				one.isDone = true;
				one.told.replaceChildren(t("made"), " ", h("code", one.made));
			}, (error) => one.told.replaceChildren(h("span.problem", explain(error))));
		}
		const done = good.filter((one) => one.isDone), made = done.filter((one) => one.made);
		after.replaceChildren(t("created", { count: done.length }), made.length ? passwords(made) : "");
		await list.load();
	}, { class: "main" });
	return [h("p", { role: "status" }, t("checked", { good: good.length, bad: people.length - good.length })), good.length ? create : "", after,
		table(t("many"), ["line", "name", "email", "role", "result"], people.map((one) => [one.line, one.name, one.email, one.role, one.told]))];
}

function newPeople(list) {
	const told = h("div", { role: "status" }), shown = h("div"), once = { name: "must_change", label: t("once"), type: "checkbox", value: true };
	const clear = () => { for (const key of ["name", "email", "password"]) single.elements[key].value = ""; };
	const single = form({
		fields: [{ name: "name", label: t("name"), needed: true }, { name: "email", label: t("email"), type: "email", needed: true }, { name: "role", label: t("role"), value: "user", options: roles() },
			{ name: "password", label: t("password"), hint: t("password.made"), autocomplete: "off" }, once],
		submit: t("create"),
		after: site.password_reset && action(t("invite"), async () => {
			await api.user_invite(Object.fromEntries(["name", "email", "role"].map((key) => [key, single.elements[key].value])));
			clear();
			await list.load();
			return t("invited");
		}),
		save: async ({ must_change, ...one }) => { await add(one, must_change); return one; },
		done: async (one) => {
			told.replaceChildren(t("created", { count: 1 }), " ", h("code", one.made), one.made ? passwords([one]) : "");
			clear();
			await list.load();
		},
	});
	const many = form({
		fields: [{ name: "text", label: t("many"), type: "textarea", rows: 6, needed: true, placeholder: "Ada Lovelace, ada@example.org, user", hint: t("many.text") }, once],
		submit: t("check"),
		save: ({ text }) => readPeople(text),
		done: (people) => shown.replaceChildren(...preview(people, many.elements.must_change.checked, list)),
		after: h("input", { type: "file", accept: ".csv,text/*", "aria-label": t("file"), onchange: async ({ target }) => { many.elements.text.value = await target.files[0].text(); } }),
	});
	return [single, told, section(t("many"), many, shown), h("form", { method: "dialog" }, h("button", t("close")))];
}

page(async (all) => {
	const chosen = new Map();
	const list = sheet({
		label: t("people"), chosen, changed: () => many.show(),
		columns: [["name", "name", (one) => link("person", one.id, one.name)], ["email", "email", (one) => one.email], ["role", "role", (one) => t(`role.${one.role}`)],
			["standing", null, (one) => t(one.account.disabled ? "disabled" : "enabled")], ["groups", null, (one) => one.group_ids.map((id) => all.find((group) => group.id === id)?.name).filter(Boolean).join(", ")],
			["active", "last_active_at", (one) => when(one.last_active_at)], ["since", "created_at", (one) => when(one.created_at)]],
		filters: [["role", t("role"), roles()], ["group", t("groups"), all.map(({ id, name }) => [id, name])], ["disabled", t("standing"), [["false", t("enabled")], ["true", t("disabled")]]],
			["active_since", t("active"), [1, 7, 30, 365].map((days) => [day(days), t("days", { days })])]],
		read: (state, options) => api.users_list({ ...state, include: "account" }, options),
	});
	await list.load();
	const many = changeMany(list, chosen, all);
	let fresh; // stays, with what was typed, when the dialog is closed
	const [search, ...rest] = list.element;
	return [h("div.actions", h("button.main", { onclick: () => dialog(t("new"), fresh ??= newPeople(list)) }, t("new"))), search, many.element, rest];
}, groups);
