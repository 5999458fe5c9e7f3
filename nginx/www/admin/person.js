// person.js: /admin/person?id=: one person's account, groups, sessions, keys and permissions.
import { api, date, form, h, picture, t, when } from "/account/page.js";
import { choice, deed, find, grid, groups, id, link, page, roles, saves, section, yes } from "./admin.js";
import { list } from "./lists.js";

page(async () => {
	const person = await api.user_get(id);
	const [{ account }, all, sources, sessions, keys] = await Promise.all([find(person.email), groups(), api.user_permissions(id), list("sessions", id), list("keys", id)]);
	const { name, groups: joined } = person, reload = () => location.reload();
	const nameOf = (from) => from === "default" ? t("may.default") : all.find((group) => group.id === from)?.name ?? from;
	const others = all.filter((group) => joined.every((one) => one.id !== group.id)), other = choice(t("join"), others.map((group) => [group.id, group.name]));
	const row = (name, value, more) => ({ name, label: t(name), value, needed: true, ...more });
	const standing = account.disabled ? "enable" : "disable";

	return [h("h2", {}, picture(person, 48), " ", name), h("p", { class: "quiet" }, t(account.disabled ? "disabled" : "enabled"), " · ", t("active"), " ", when(person.last_active_at), " · ", t("since"), " ", date(person.created_at),
		account.last_sign_in_at && [" · ", t("signed_in_at"), " ", when(account.last_sign_in_at)], !account.has_password && [" · ", t("no_password")]),
	form({
		fields: [row("name", name), row("email", person.email, { type: "email" }), row("role", person.role, { options: roles(), hint: t("role.ends") }),
			row("new_password", "", { type: "password", autocomplete: "new-password", hint: t("password.stays"), needed: false })],
		submit: t("save"),
		save: saves(person, () => api.user_get(id), ({ new_password: password, ...values }, was) => api.user_update(id, { ...values, password, profile_image_url: was.profile_image_url, if_updated_at: was.updated_at })),
		done: () => t("saved"),
		after: [deed(standing, name, () => api[`user_${standing}`](id).then(reload), true), deed("delete", name, () => api.user_delete(id).then(() => location.assign("/admin/")), true)],
	}),
	section(t("groups"), h("ul", { class: "rows" }, joined.map((group) => h("li", {}, link("groups", group.id, group.name), deed("leave", group.name, () => api.group_users_remove(group.id, { user_ids: [id] }).then(reload))))),
		others.length > 0 && h("div", { class: "actions" }, other, deed("join", name, () => api.group_users_add(other.value, { user_ids: [id] }).then(reload)))),
	section(t("sessions"), sessions, deed("end.all", name, () => api.user_sessions_end(id).then(reload), true)),
	section(t("keys"), keys),
	section(t("permissions"), grid(sources, null, (key, { value, from }) => [yes(value), from.map(nameOf).join(", ")]))];
});
