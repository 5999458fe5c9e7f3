// settings.js: /admin/settings: the settings of the service.
import { api, form, h, t } from "/account/page.js";
import { groups, page, roles, words } from "./admin.js";

const known = ["ENABLE_SIGNUP", "DEFAULT_USER_ROLE", "DEFAULT_GROUP_ID", "JWT_EXPIRES_IN", "ENABLE_API_KEYS", "ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS", "API_KEYS_ALLOWED_ENDPOINTS", "SHOW_ADMIN_DETAILS", "WEBUI_URL"];

page("settings", async () => {
	let settings = await api.admin_config_get();
	const options = { DEFAULT_USER_ROLE: roles(), DEFAULT_GROUP_ID: [["", "–"], ...(await groups()).map(({ id, name }) => [id, name])] };
	const row = (name) => ({ name, label: known.includes(name) ? t(`set.${name}`) : words(name), value: settings[name] ?? "", options: options[name],
		type: typeof settings[name] === "boolean" ? "checkbox" : "text", autocomplete: "off" });
	return [h("p", { class: "quiet" }, t("settings.text")), form({
		fields: [...known, ...Object.keys(settings).filter((name) => !known.includes(name))].map(row),
		submit: t("save"),
		save: (values) => api.admin_config_set({ ...values, if_was: settings }).catch(async (error) => {
			if (error.status !== 412) throw error;
			const before = settings;
			settings = await api.admin_config_get();
			throw Object.assign(error, { code: "changed", now: Object.keys(settings).filter((name) => settings[name] !== before[name]).map((name) => `${words(name)}: ${settings[name]}`).join(", ") });
		}),
		done: (saved) => { settings = saved; return t("saved"); },
	})];
});
