// status.js: /admin/status: what the service does, drawn as it goes.
import { api, explain, h, t } from "/account/page.js";
import { number, page, section, table } from "./admin.js";

const seconds = 2, points = 60;

function svg(tag, attributes, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const key in attributes) element.setAttribute(key, attributes[key]);
	element.append(...children);
	return element;
}

// A chart of the last two minutes. add(value) draws on; what is shown of it is text(value).
function chart(title, text) {
	const values = [], line = svg("polyline", { class: "line" }), now = h("b"), most = h("span", { class: "quiet" });
	return {
		element: h("figure", {}, h("figcaption", {}, title, ": ", now), svg("svg", { viewBox: "0 0 300 60", role: "img", "aria-label": title }, line), most),
		add(value) {
			values.push(value);
			if (values.length > points) values.shift();
			const top = Math.max(...values, 1e-9);
			line.setAttribute("points", values.map((one, i) => `${300 - (values.length - 1 - i) * 300 / (points - 1)},${58 - one / top * 54}`).join(" "));
			now.textContent = text(value);
			most.textContent = t("most", { value: text(top < 1e-6 ? 0 : top) });
		},
	};
}

// The time that so many of the answers between two states took at most, in ms.
function quantile(before, after, part) {
	const counts = after.map(({ requests }, i) => requests - before[i].requests), all = counts.reduce((sum, count) => sum + count, 0);
	let sum = 0;
	const i = counts.findIndex((count) => (sum += count) >= all * part && all > 0);
	return i < 0 ? 0 : (after[i].up_to_microseconds ?? 5e6) / 1000;
}

page("state", async () => {
	const ms = (value) => `${number(value)} ms`, rate = (value) => number(Math.round(value * 10) / 10);
	const charts = [
		[chart(t("rate"), rate), (now, before) => (now.requests - before.requests) / seconds],
		[chart(t("slow"), ms), (now, before) => quantile(before.latency, now.latency, .99)],
		[chart(t("busy"), number), (now) => Object.values(now.pools).reduce((sum, { busy, waiting }) => sum + busy + waiting, -1)],
		[chart(t("queries"), rate), (now, before) => (now.statements - before.statements) / seconds],
	];
	const facts = h("p"), pools = h("tbody"), note = h("p", { role: "status", class: "problem" });
	let before = await api.admin_status();

	function show(now) {
		for (const [one, value] of charts) one.add(value(now, before));
		facts.replaceChildren(`Roster ${now.version} · MariaDB: ${now.mariadb} · Redis: ${now.redis} · `, t("sessions"), `: ${number(now.sessions ?? 0)} · `, t("people"), `: ${number(Object.values(now.accounts ?? {}).reduce((sum, count) => sum + count, 0))} · `, t("up", { hours: number(Math.floor(now.uptime_seconds / 3600)) }));
		pools.replaceChildren(...Object.entries(now.pools).map(([name, pool]) => h("tr", {}, [name, pool.busy, pool.idle, pool.waiting, pool.requests, pool.requests && ms(Math.round(pool.microseconds / pool.requests / 100) / 10)].map((cell) => h("td", {}, typeof cell === "number" ? number(cell) : cell)))));
		before = now;
	}

	async function tick() {
		if (!document.hidden) await api.admin_status().then((now) => { note.textContent = ""; show(now); }, (error) => { note.textContent = explain(error); });
		setTimeout(tick, seconds * 1000);
	}

	show(before);
	setTimeout(tick, seconds * 1000);
	return [facts, note, h("div", { class: "charts" }, charts.map(([{ element }]) => element)),
		section(t("pools"), table(t("pools"), h("tr", {}, ["name", "busy", "idle", "waiting", "requests", "mean"].map((key) => h("th", { scope: "col" }, t(key)))), pools))];
});
