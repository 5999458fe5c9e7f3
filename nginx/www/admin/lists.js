// lists.js: /admin/sessions and /admin/keys: those of everybody, and lists of one person's.
import { api, device, h, t, when } from "/account/page.js";
import { deed, link, page, path, sheet } from "./admin.js";

const whose = ["email", null, (row) => link("person", row.user_id, row.email)];
const time = (seconds) => seconds ? when(seconds) : "–";
const kinds = {
	sessions: (list) => [["device", null, (row) => device(row.user_agent)], ["address", null, (row) => row.address], ["seen", null, (row) => time(row.last_seen_at)], ["since", null, (row) => time(row.created_at)],
		["end", null, (row) => row.current ? t("sessions.this") : deed("end", `${row.email}, ${device(row.user_agent)}`, () => api.user_session_end(row.user_id, row.jti).then(list().load))]],
	keys: (list) => [["name", null, (row) => [row.name, " ", h("code", row.api_key)]], ["used", null, (row) => time(row.last_used_at)], ["ends", null, (row) => time(row.expires_at)],
		["remove", null, (row) => deed("remove", `${row.email}, ${row.name ?? row.api_key}`, () => api.admin_api_key_delete(row.id).then(list().load), true)]],
};

// A sheet of one kind: of a user, or of everybody.
export async function list(kind, user_id) {
	const read = kind === "keys" ? api.admin_api_keys : api.admin_sessions, columns = kinds[kind](() => whole);
	const whole = sheet({ label: t(kind), only: user_id && { user_id }, columns: user_id ? columns : [whose, ...columns], read });
	await whole.load();
	return whole;
}

if (kinds[path]) page(async () => (await list(path)).element);
