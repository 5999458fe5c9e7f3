// access.js: /admin/access: sessions and API keys of everybody.
import { action, api, ask, device, h, t, when } from "/account/page.js";
import { page, parameter, personLink, sheet } from "./admin.js";

page("access", async () => {
	const isKeys = parameter("show") === "keys";
	const list = sheet({
		label: t("access"),
		columns: isKeys ? [["email"], ["name"], ["used"], ["ends"], ["remove"]] : [["email"], ["device"], ["address"], ["seen"], ["end"]],
		read: async ({ query, page: number }, options) => {
			const answer = await api[isKeys ? "admin_api_keys" : "admin_sessions"]({ query, page: number }, options);
			return [answer.api_keys ?? answer.sessions, answer.total];
		},
		cells: (row) => isKeys ? [personLink(row.user_id, row.email), [row.name, " ", h("code", {}, row.api_key)], row.last_used_at && when(row.last_used_at), row.expires_at && when(row.expires_at),
			action(t("remove"), async () => { if (await ask(t("remove"), h("p", {}, row.email), t("remove"))) await api.admin_api_key_delete(row.id).then(list.load); }, { "aria-label": `${t("remove")}: ${row.email}` })]
			: [personLink(row.user_id, row.email), device(row.user_agent), row.address, when(row.last_seen_at),
				row.current ? t("sessions.this") : action(t("end"), () => api.user_session_end(row.user_id, row.jti).then(list.load), { "aria-label": `${t("end")}: ${row.email}` })],
	});
	await list.load();
	return [h("nav", { "aria-label": t("access") }, [["", "sessions"], ["?show=keys", "keys"]].map(([query, key]) =>
		h("a", { href: `/admin/access${query}`, "aria-current": (key === "keys") === isKeys && "page" }, t(key)))), list.element];
});
