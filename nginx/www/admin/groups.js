// groups.js: /admin/groups: groups, their members and permissions, and the default permissions.
import { api, form, h, t, when } from "/account/page.js";
import { deed, find, groups, id, link, number, page, saves, section, sheet, table, words } from "./admin.js";

// Boxes for permissions: everybody's, or, of a group, what it gives and what follows. Nobody loses one by a group.
function boxes(defaults, given) {
	const all = [], yes = (value) => t(value ? "yes" : "no");
	const row = (part) => ([key, value]) => {
		const effect = h("span"), box = h("input", { type: "checkbox", "aria-label": words(key), checked: given ? given[part]?.[key] : value, onchange: () => show() });
		const show = () => { effect.textContent = yes(given && value || box.checked); };
		all.push([part, key, box]);
		show();
		return [words(key), ...given ? [yes(value), box, effect] : [box]];
	};
	const element = Object.entries(defaults).map(([part, values]) => h("details", h("summary", words(part)),
		table(words(part), given && ["permissions", "may.default", "group", "effective"], Object.entries(values).map(row(part)))));
	// What is marked, over what was there.
	const read = (before) => {
		const sum = structuredClone(before ?? {});
		for (const [part, key, { checked }] of all) if (!given || checked || sum[part]?.[key] !== undefined) (sum[part] ??= {})[key] = checked;
		return sum;
	};
	return { element, read };
}

const fields = ({ name, description }) => [{ name: "name", label: t("name"), value: name, needed: true }, { name: "description", label: t("description"), value: description }];
const done = () => t("saved");

async function one() {
	const [group, defaults] = await Promise.all([api.group_get(id), api.default_permissions_get()]), permissions = boxes(defaults, group.permissions ?? {});
	const members = sheet({
		label: t("members"), read: (state, options) => api.users_list({ ...state, group: id }, options),
		columns: [["name", "name", (user) => link("person", user.id, user.name)], ["email", "email", (user) => user.email], ["active", "last_active_at", (user) => when(user.last_active_at)],
			["leave", null, (user) => deed("leave", user.name, () => api.group_users_remove(id, { user_ids: [user.id] }).then(members.load))]],
	});
	await members.load();
	return [h("h2", group.name), form({
		fields: fields(group), submit: t("save"), done,
		save: saves(group, () => api.group_get(id), (values, was) => api.group_update(id, { ...values, permissions: permissions.read(was.permissions), if_updated_at: was.updated_at })),
		before: section(t("permissions"), h("p.quiet", t("permissions.text")), permissions.element),
		after: deed("delete", group.name, () => api.group_delete(id).then(() => location.assign("/admin/groups")), true),
	}), section(t("members"), form({
		fields: [{ name: "email", label: t("member.email"), type: "email", needed: true }],
		submit: t("join"),
		save: async ({ email }) => {
			const user = await find(email);
			if (!user) throw { code: "nobody" };
			await api.group_users_add(id, { user_ids: [user.id] });
		},
		done: members.load,
	}), members.element)];
}

async function all() {
	const [list, defaults] = await Promise.all([groups(), api.default_permissions_get()]), permissions = boxes(defaults);
	return [table(t("groups"), ["name", "description", "members"], list.map((group) => [link("groups", group.id, group.name), group.description, number(group.member_count)])),
		section(t("group.new"), form({ fields: fields({}), submit: t("create"), save: api.group_create, done: (group) => location.assign(`/admin/groups?id=${group.id}`) })),
		section(`${t("permissions")}: ${t("may.default")}`, permissions.element, form({
			fields: [], submit: t("save"), done,
			save: saves(defaults, api.default_permissions_get, (_, was) => api.default_permissions_set({ ...permissions.read(was), if_was: was })),
		}))];
}

page(() => id ? one() : all());
