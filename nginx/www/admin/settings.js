// settings.js: /admin/settings: the settings of the service. What each is for stands in the API's own document.
import { api, form, t, texts } from "/account/page.js";
import { groups, page, roles, saves, words } from "./admin.js";

// A value as a field has it, and back; what nobody has changed stays as it was, null too.
const shown = (value) => value instanceof Object ? JSON.stringify(value) : value ?? "";
function read(value, was) {
	if (value === shown(was)) return was;
	try {
		return was instanceof Object ? JSON.parse(value) : value;
	} catch {
		return value; // the API refuses it
	}
}

page(([settings, all, { components }]) => {
	const { properties } = components.schemas.AdminConfig, options = { DEFAULT_USER_ROLE: roles(), DEFAULT_GROUP_ID: [["", "–"], ...all.map(({ id, name }) => [id, name])] };
	return form({
		fields: Object.entries(settings).map(([name, value]) => ({ name, label: words(name).replace(/^./, (first) => first.toUpperCase()), value: shown(value), options: options[name], hint: texts[`set.${name}`] ?? texts["set.other"] ?? properties[name].description,
			type: typeof value === "boolean" ? "checkbox" : value instanceof Object || name.endsWith("_CONTENT") ? "textarea" : "text", autocomplete: "off" })),
		submit: t("save"),
		save: saves(settings, api.admin_config_get, (values, was) => api.admin_config_set({ ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, read(value, was[name])])), if_was: was })),
		done: () => t("saved"),
	});
}, () => Promise.all([api.admin_config_get(), groups(), fetch("/openapi.json").then((answer) => answer.json())]));
