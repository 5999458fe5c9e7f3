// groups.js: /admin/groups: groups, their members and permissions, and the default permissions.
import { action, api, ask, form, h, t, when } from "/account/page.js";
import { groups, number, page, parameter, personLink, section, sheet, table, words } from "./admin.js";

const id = parameter("id");

// A grid of permissions: everybody's, and, of a group, what it gives and what follows. Nobody loses one by a group.
function grid(defaults, given) {
	const boxes = [];
	const element = Object.entries(defaults).map(([part, permissions]) => h("details", {}, h("summary", {}, words(part)), table(words(part),
		given && h("tr", {}, ["permissions", "may.default", "group", "effective"].map((key) => h("th", { scope: "col" }, t(key)))), Object.entries(permissions).map(([key, value]) => {
			const effect = h("td"), box = h("input", { type: "checkbox", "aria-label": words(key), onchange: () => show() });
			const show = () => { effect.textContent = t((given && value) || box.checked ? "yes" : "no"); };
			box.checked = given ? given[part]?.[key] ?? false : value;
			boxes.push([part, key, box]);
			show();
			return h("tr", {}, h("th", { scope: "row" }, words(key)), given && h("td", {}, t(value ? "yes" : "no")), h("td", {}, box), given && effect);
		}))));
	// What is marked, over what was there.
	const read = (before) => {
		const all = structuredClone(before);
		for (const [part, key, box] of boxes) if (!given || box.checked || all[part]?.[key] !== undefined) (all[part] ??= {})[key] = box.checked;
		return all;
	};
	return { element, read };
}

const reread = (error) => { throw Object.assign(error, error.status === 412 ? { code: "changed", now: t("reload") } : {}); };

async function one() {
	let group = await api.group_get(id);
	const permissions = grid(await api.default_permissions_get(), group.permissions ?? {});
	const members = sheet({
		label: t("members"), columns: [["name", "name"], ["email", "email"], ["active", "last_active_at"], ["leave"]],
		read: async (state, options) => {
			const { users, total } = await api.users_list({ query: state.query, order_by: state.order_by, direction: state.direction, page: state.page, group: id }, options);
			return [users, total];
		},
		cells: (user) => [personLink(user.id, user.name), user.email, when(user.last_active_at),
			action(t("leave"), () => api.group_users_remove(id, { user_ids: [user.id] }).then(members.load), { "aria-label": `${t("leave")}: ${user.name}` })],
	});
	await members.load();
	return [h("h2", {}, group.name), form({
		fields: [{ name: "name", label: t("name"), value: group.name, needed: true }, { name: "description", label: t("description"), value: group.description }],
		submit: t("save"),
		save: (values) => api.group_update(id, { ...values, permissions: permissions.read(group.permissions ?? {}), if_updated_at: group.updated_at }).catch(reread),
		done: (saved) => { group = saved; return t("saved"); },
		after: action(t("delete"), async () => {
			if (await ask(t("delete"), h("p", {}, group.name), t("delete"))) await api.group_delete(id).then(() => location.assign("/admin/groups"));
		}, { class: "danger" }),
	}), section(t("permissions"), h("p", { class: "quiet" }, t("permissions.text")), permissions.element),
	section(t("members"), form({
		fields: [{ name: "email", label: t("member.email"), type: "email", needed: true }],
		submit: t("join"),
		save: async ({ email }) => {
			const user = (await api.users_list({ query: email })).users.find((some) => some.email === email.trim().toLowerCase());
			if (!user) throw { code: "nobody" };
			await api.group_users_add(id, { user_ids: [user.id] });
		},
		done: () => members.load(),
	}), members.element)];
}

async function all() {
	let defaults = await api.default_permissions_get();
	const permissions = grid(defaults);
	return [table(t("groups"), h("tr", {}, ["name", "description", "members"].map((key) => h("th", { scope: "col" }, t(key)))),
		(await groups()).map((group) => h("tr", {}, h("td", {}, h("a", { href: `/admin/groups?id=${group.id}` }, group.name)), h("td", {}, group.description), h("td", {}, number(group.member_count))))),
	section(t("group.new"), form({
		fields: [{ name: "name", label: t("name"), needed: true }, { name: "description", label: t("description") }],
		submit: t("group.new"), save: api.group_create, done: (group) => location.assign(`/admin/groups?id=${group.id}`),
	})),
	section(t("may.default"), permissions.element, form({
		fields: [], submit: t("save"),
		save: () => api.default_permissions_set({ ...permissions.read(defaults), if_was: defaults }).catch(reread),
		done: (saved) => { defaults = saved; return t("saved"); },
	}))];
}

page("groups", () => id ? one() : all());
