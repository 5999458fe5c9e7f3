// person.js: /admin/person?id=: one person's account, groups, sessions, keys and permissions.
import { action, api, date, dialog, form, h, origins, picture, site, t, when } from "/account/page.js";
import { choice, deed, find, groups, id, link, page, roles, saves, section } from "./admin.js";
import { list } from "./lists.js";

page(async ([person, all, sources]) => {
	const [{ account }, sessions, keys] = await Promise.all([find(person.email), list("sessions", id), list("keys", id)]);
	const { name } = person, standing = h("span"), may = h("div"), also = h("input", { type: "checkbox" }), joined = h("ul.rows", { tabindex: -1 }), join = h("div.actions");
	const row = (name, value, more) => ({ name, label: t(name), value, needed: true, ...more });

	// The button for the other of the two; nothing that was typed is lost.
	function stands(isDisabled) {
		standing.textContent = t(isDisabled ? "disabled" : "enabled");
		const button = deed(isDisabled ? "enable" : "disable", name, async () => {
			await api[isDisabled ? "user_enable" : "user_disable"](id);
			const other = stands(!isDisabled);
			button.replaceWith(other);
			other.focus();
		}, true);
		return button;
	}

	// The address has to be typed: nothing brings the person back.
	const erase = () => action(t("erase"), async () => {
		const box = dialog(t("erase"), form({
			before: [h("p", t("erase.goes", person)), h("p", t("erase.stays"))],
			fields: [{ name: "typed", label: t("erase.type", person), needed: true, autocomplete: "off", check: ({ value }) => value.trim().toLowerCase() === person.email ? "" : t("erase.other") }],
			submit: t("erase"),
			save: () => api.user_erase(id),
			done: () => location.assign("/admin/"),
			after: h("button", { type: "button", onclick: () => box.close("") }, t("cancel")),
		}));
		await box;
	}, { "aria-label": `${t("erase")}: ${name}`, class: "danger" });

	function show(some, sources) {
		const isIn = (group) => some.some((one) => one.id === group.id), others = all.filter((group) => !isIn(group)), other = choice(t("join"), others.map((group) => [group.id, group.name]));
		const change = (call, group_id) => async () => {
			await call(group_id(), { user_ids: [id] });
			show((await api.user_get(id)).groups, await api.user_permissions(id));
			joined.focus();
		};
		joined.replaceChildren(...all.filter(isIn).map((group) => h("li", link("groups", group.id, group.name), deed("leave", group.name, change(api.group_users_remove, () => group.id)))));
		join.replaceChildren(...others.length ? [other, deed("join", name, change(api.group_users_add, () => other.value))] : []);
		may.replaceChildren(...origins(sources, all));
	}
	show(person.groups, sources);

	return [h("h2", picture(person, 48), " ", name), h("p.quiet", standing, " · ", t("active"), " ", when(person.last_active_at), " · ", t("since"), " ", date(person.created_at),
		account.last_sign_in_at && [" · ", t("signed_in_at"), " ", when(account.last_sign_in_at)], !account.has_password && [" · ", t("no_password")], " · ", h("a", { href: `/admin/audit?person=${id}` }, t("audit"))),
	form({
		fields: [row("name", name), row("email", person.email, { type: "email" }), row("role", person.role, { options: roles(), hint: t("role.ends") }),
			row("new_password", "", { type: "password", autocomplete: "new-password", hint: t("password.stays"), needed: false })],
		submit: t("save"),
		save: saves(person, () => api.user_get(id), ({ new_password: password, ...values }, was) => api.user_update(id, { ...values, password, profile_image_url: was.profile_image_url, if_updated_at: was.updated_at })),
		done: () => t("saved"),
		after: [site.password_reset && action(t("invite.link"), () => api.user_password_link(id).then(() => t("invited"))), stands(account.disabled), deed("delete", name, () => api.user_delete(id).then(() => location.assign("/admin/")), true), erase()],
	}),
	section(t("groups"), joined, join), section(t("sessions"), sessions.element, deed("end.all", name, () => api.user_sessions_end(id, { keys: also.checked }).then(() => Promise.all([sessions.load(), keys.load()])), h("p", h("label", also, " ", t("end.keys"))))),
	section(t("keys"), keys.element), section(t("permissions"), may)];
}, () => Promise.all([api.user_get(id), groups(), api.user_permissions(id)]));
