// audit.js: /admin/audit: who did what to whom, when, and from where.
import { api, date, h, t, texts } from "/account/page.js";
import { day, find, link, page, sheet, words } from "./admin.js";

const who = (id, name, email) => id && (email ? link("person", id, name || email) : h("code", id));
const shown = (value) => value instanceof Object ? JSON.stringify(value) : `${value}`;
const what = (action) => texts[`audit.${action}`] ?? words(action);
const whom = ({ action, object, detail }) => object && /^(group|member)_/.test(action) ? link("groups", object, detail?.name?.to ?? detail?.name ?? object) : "";
function told(detail) {
	const [first, ...more] = Object.entries(detail ?? {}).map(([key, value]) => h("div", words(key), ": ", value?.to === undefined ? shown(value) : `${shown(value.from)} → ${shown(value.to)}`));
	return more.length > 3 ? h("details.detail", h("summary", first.textContent, " …"), more) : first && h("div.detail", first, more);
}

// A search is for the address or id of a person, the address of a client, or a user of the system.
async function read({ query = "", person, action, since, after }, options) {
	const one = query.includes("@") ? await find(query) ?? { id: "-" } : /^[\da-f-]{36}$/.test(query) && { id: query };
	const of = one ? { person: one.id } : query ? { [/^[\d.]+$|:/.test(query) ? "address" : "actor"]: query } : {};
	return api.audit({ person, action, since, before: after, ...of }, options);
}

page(async () => {
	const list = sheet({
		label: t("audit"), read, size: 50, find: t("trail.search"),
		columns: [["trail.when", null, ({ at }) => h("time", date(at))], ["trail.who", null, (row) => who(row.actor_id, row.actor_name, row.actor_email) ?? row.system_user],
			["trail.what", null, ({ action }) => what(action)], ["trail.whom", null, (row) => [who(row.subject_id, row.subject_name, row.subject_email), " ", whom(row)]],
			["trail.where", null, ({ address, through }) => [address, " ", h("span.quiet", through)]], ["trail.detail", null, ({ detail }) => told(detail)]],
		filters: [["action", t("trail.what"), Object.keys(texts).filter((key) => key.startsWith("audit.")).map((key) => [key.slice(6), texts[key]])],
			["since", t("trail.when"), [1, 7, 30, 365].map((days) => [day(days), t("days", { days })])]],
	});
	const { person } = list.state, [one] = await Promise.all([person && api.user_get(person).catch(() => ({ name: person })), list.load()]);
	return [one && h("h2", one.id ? link("person", one.id, one.name) : one.name), list.element];
});
