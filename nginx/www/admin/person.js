// person.js: /admin/person?id=: one person's account, groups, sessions, keys and permissions.
import { action, api, ask, date, device, form, h, picture, t, when } from "/account/page.js";
import { choice, groups, page, parameter, roles, section, table, words } from "./admin.js";

const id = parameter("id");

// A list that is read again after each change.
function list(title, read) {
	const element = h("ul", { class: "rows" });
	const fill = async () => element.replaceChildren(...(await read(fill)).map((row) => h("li", {}, row)));
	return fill().then(() => section(title, element));
}

const sure = (label, name, work, attributes) => action(label, async () => {
	if (await ask(label, h("p", {}, name), label)) return work();
}, attributes);

page("person", async () => {
	let person = await api.user_get(id);
	const [{ users }, allGroups, sources] = await Promise.all([api.users_list({ query: person.email, include: "account" }), groups(), api.user_permissions(id)]);
	const { account } = users.find((one) => one.id === id);
	const reload = () => location.reload();
	const nameOf = (from) => from === "default" ? t("may.default") : allGroups.find((group) => group.id === from)?.name ?? from;
	const joined = new Set(person.groups.map((group) => group.id));
	const joining = choice(t("join"), allGroups.filter((group) => !joined.has(group.id)).map((group) => [group.id, group.name]));

	return [h("h2", {}, picture(person, 48), " ", person.name), h("p", { class: "quiet" }, t(account.disabled ? "disabled" : "enabled"), " · ", t("active"), " ", when(person.last_active_at), " · ",
		t("since"), " ", date(person.created_at), account.last_sign_in_at && [" · ", t("signed_in_at"), " ", when(account.last_sign_in_at)], !account.has_password && [" · ", t("no_password")]),
	form({
		fields: [{ name: "name", label: t("name"), value: person.name, needed: true }, { name: "email", label: t("email"), type: "email", value: person.email, needed: true },
			{ name: "role", label: t("role"), value: person.role, options: roles(), hint: t("role.ends") },
			{ name: "password", label: t("new_password"), type: "password", autocomplete: "new-password", hint: t("password.stays") }],
		submit: t("save"),
		save: (values) => api.user_update(id, { ...values, profile_image_url: person.profile_image_url, if_updated_at: person.updated_at }).catch(async (error) => {
			if (error.status !== 412) throw error;
			person = await api.user_get(id);
			throw Object.assign(error, { code: "changed", now: `${person.name}, ${person.email}, ${t(`role.${person.role}`)}` });
		}),
		done: (saved) => { person = saved; return t("saved"); },
		after: [sure(t(account.disabled ? "enable" : "disable"), person.name, () => api[account.disabled ? "user_enable" : "user_disable"](id).then(reload)),
			sure(t("delete"), person.name, () => api.user_delete(id).then(() => location.assign("/admin/")), { class: "danger" })],
	}),
	await list(t("groups"), async () => person.groups.map((group) => [h("a", { href: `/admin/groups?id=${group.id}` }, group.name),
		action(t("leave"), () => api.group_users_remove(group.id, { user_ids: [id] }).then(reload), { "aria-label": `${t("leave")}: ${group.name}` })])),
	joining.options.length > 0 && h("div", { class: "actions" }, joining, action(t("join"), () => api.group_users_add(joining.value, { user_ids: [id] }).then(reload))),
	await list(t("sessions"), async (again) => (await api.user_sessions_list(id)).map((one) => [h("div", {}, device(one.user_agent), h("div", { class: "quiet" }, one.address, " · ", when(one.last_seen_at))),
		action(t("end"), () => api.user_session_end(id, one.jti).then(again), { "aria-label": `${t("end")}: ${device(one.user_agent)}` })])),
	account.sessions > 0 && sure(t("end.all"), person.name, () => api.user_sessions_end(id).then(reload)),
	await list(t("keys"), async (again) => (await api.admin_api_keys({ user_id: id })).api_keys.map((key) => [h("div", {}, key.name, " ", h("code", {}, key.api_key), h("div", { class: "quiet" }, when(key.last_used_at ?? key.created_at))),
		sure(t("remove"), key.name ?? key.api_key, () => api.admin_api_key_delete(key.id).then(again), { "aria-label": `${t("remove")}: ${key.name ?? ""}` })])),
	section(t("permissions"), Object.entries(sources).map(([part, permissions]) => h("details", {}, h("summary", {}, words(part)), table(words(part), null,
		Object.entries(permissions).map(([key, { value, from }]) => h("tr", {}, h("th", { scope: "row" }, words(key)), h("td", {}, t(value ? "yes" : "no")), h("td", { class: "quiet" }, from.map(nameOf).join(", "))))))))];
});
