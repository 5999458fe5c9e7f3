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

// A chart of the last two minutes. value(now, before) is drawn, text(value, now) stands beside it.
function chart(key, value, text = number) {
	const values = [], line = svg("polyline", { class: "line" }), shown = h("b"), most = h("span.quiet");
	return {
		element: h("figure", h("figcaption", t(key), ": ", shown), svg("svg", { viewBox: "0 0 300 60", role: "img", "aria-label": t(key) }, line), most),
		add(now, before) {
			values.push(value(now, before) ?? 0);
			if (values.length > points) values.shift();
			const top = Math.max(...values);
			line.setAttribute("points", values.map((one, i) => `${300 - (values.length - 1 - i) * 300 / (points - 1)},${58 - one / (top || 1) * 54}`).join(" "));
			shown.textContent = text(values.at(-1), now);
			most.textContent = t("most", { value: text(top) });
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

page((before) => {
	const round = (value) => number(Math.round(value * 10) / 10), ms = (value) => `${round(value)} ms`, rate = (key) => (now, before) => (now[key] - before[key]) / seconds;
	const state = (key) => (value, now) => now ? `${now[key]}, ${round(value)}` : round(value);
	const charts = [
		chart("here", (now) => now.active_users),
		chart("rate", rate("requests"), round),
		chart("slow", (now, before) => quantile(before.latency, now.latency, .99), ms),
		chart("busy", (now) => Object.values(now.pools).reduce((sum, { busy, waiting }) => sum + busy + waiting, -1)),
		chart("mariadb", rate("statements"), state("mariadb")),
		chart("redis", (now) => Object.values(now.pools).reduce((sum, pool) => sum + pool.with_redis, 0), state("redis")),
	];
	const facts = h("p"), pools = table(t("pools"), null, []), note = h("p", { role: "status", class: "problem" });

	function show(now) {
		for (const one of charts) one.add(now, before);
		facts.textContent = [`Roster ${now.version}`, `${t("people")}: ${number(Object.values(now.accounts ?? {}).reduce((sum, count) => sum + count, 0))}`, `${t("sessions")}: ${number(now.sessions ?? 0)}`,
			t("up", { hours: Math.floor(now.uptime_seconds / 3600) })].join(" · ");
		pools.replaceChildren(...table(t("pools"), ["name", "busy", "idle", "waiting", "requests", "mean"], Object.entries(now.pools).map(([name, { busy, idle, waiting, requests, microseconds }]) =>
			[name, ...[busy, idle, waiting, requests].map(number), requests ? ms(microseconds / requests / 1000) : "–"])).children);
		before = now;
	}

	async function tick() {
		if (!document.hidden) await api.admin_status().then((now) => { note.textContent = ""; show(now); }, (error) => { note.textContent = explain(error); });
		setTimeout(tick, seconds * 1000);
	}

	show(before);
	setTimeout(tick, seconds * 1000);
	return [facts, note, h("div.charts", charts.map(({ element }) => element)), section(t("pools"), pools)];
}, api.admin_status);
