// account.js: /account/: a person's profile, status, password, sessions, API keys and permissions.
import { action, api, ask, date, device, form, h, picture, rules, site, start, t, user, when } from "./page.js";

const section = (id, ...content) => h("section", { id, "aria-label": t(id) }, h("h2", {}, t(id)), content);
const now = () => Math.floor(Date.now() / 1000);

// A list that is read again after each change.
function list(read) {
	const element = h("ul", { class: "rows" });
	const fill = async () => element.replaceChildren(...(await read(fill)).map((row) => h("li", {}, row)));
	return { element, fill };
}

// ---- Profile ----

// Asks which square of a picture to take: a data URI, or null.
async function crop(image) {
	const side = 256, least = side / Math.min(image.width, image.height);
	const canvas = h("canvas", { width: side, height: side, tabindex: 0, role: "img", "aria-label": t("picture.move") });
	const context = canvas.getContext("2d");
	let x = 0, y = 0;
	const zoom = h("input", { type: "range", min: 1, max: 4, step: .05, value: 1, "aria-label": t("picture.zoom"), oninput: () => move(0, 0) });
	const move = (right, down) => {
		const width = image.width * least * zoom.value, height = image.height * least * zoom.value;
		x = Math.min(0, Math.max(side - width, x + right));
		y = Math.min(0, Math.max(side - height, y + down));
		context.clearRect(0, 0, side, side);
		context.drawImage(image, x, y, width, height);
	};
	canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
	canvas.onpointermove = (event) => event.buttons && move(event.movementX, event.movementY);
	canvas.onkeydown = (event) => {
		const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
		if (step) event.preventDefault(), move(...step);
	};
	move((side - image.width * least) / 2, (side - image.height * least) / 2);
	return await ask(t("picture"), [canvas, h("p", { class: "quiet" }, t("picture.move")), zoom], t("save"), "main") ? canvas.toDataURL("image/webp") : null;
}

function profile(person) {
	const shown = h("span");
	const show = () => shown.replaceChildren(picture(person, 80));
	const save = async (change) => {
		const { profile_image_url, name, bio, gender, date_of_birth } = person;
		await api.profile_update({ profile_image_url, name, bio, gender, date_of_birth, ...change });
		Object.assign(person, await api.status_get());
		show();
		return t("saved");
	};
	const choose = action(t("picture"), () => new Promise((resolve, reject) => h("input", { type: "file", accept: "image/*", oncancel: () => resolve(), onchange: async ({ target }) => {
		const image = await createImageBitmap(target.files[0]).catch(() => null);
		if (!image) return reject({ code: "picture" });
		const square = await crop(image);
		resolve(square && save({ profile_image_url: square }));
	} }).click()));
	const zones = Intl.supportedValuesOf("timeZone");
	show();
	return section("profile", h("div", { class: "actions" }, shown, choose, action(t("remove"), () => save({ profile_image_url: "/user.png" }))), form({
		fields: [{ name: "name", label: t("name"), value: person.name, needed: true, maxlength: 255, autocomplete: "name" },
			{ name: "bio", label: t("bio"), type: "textarea", value: person.bio ?? "", maxlength: 16000 },
			{ name: "timezone", label: t("timezone"), value: person.timezone ?? "",
				options: [...new Set([person.timezone ?? "", ...zones])].map((zone) => [zone, zone.replaceAll("_", " ")]) }],
		submit: t("save"),
		save: async ({ timezone, ...change }) => {
			if (timezone) await api.timezone_update({ timezone });
			return save(change);
		},
		done: (text) => text,
	}));
}

function status({ status_emoji, status_message, status_expires_at }) {
	const isOver = status_expires_at && status_expires_at < now();
	const ends = !isOver && status_expires_at;
	const row = (name, label, value) => ({ name, label, value: !isOver && value || "", autocomplete: "off" });
	const clear = action(t("clear"), async () => {
		await api.status_update({ status_emoji: "", status_message: "", status_expires_at: 0 });
		whole.replaceWith(status({}));
	});
	const whole = section("status", form({
		fields: [{ ...row("status_emoji", t("emoji"), status_emoji), maxlength: 16 }, { ...row("status_message", t("message"), status_message), maxlength: 200 },
			{ name: "until", label: t("until"), value: ends || "0",
				options: [["0", t("until.change")], ...ends ? [[ends, date(ends)]] : [], ...[1, 4, 24].map((hours) => [`+${hours}`, t("until.hours", { hours })])] }],
		submit: t("save"),
		save: ({ until, ...values }) => api.status_update({ ...values, status_expires_at: until[0] === "+" ? now() + until * 3600 : Number(until) }),
		done: () => t("saved"),
		after: clear,
	}));
	return whole;
}

const password = () => section("password", form({
	before: h("input", { value: user.email, autocomplete: "username", hidden: true }),
	fields: [{ name: "password", label: t("current_password"), type: "password", needed: true, autocomplete: "current-password" },
		{ name: "new_password", label: t("new_password"), type: "password", needed: true, autocomplete: "new-password", hint: rules() }],
	submit: t("password.change"),
	save: api.password_update,
	done: async () => {
		document.querySelector("#password form").reset();
		await sessions.fill();
		return t("password.changed");
	},
}));

// ---- Sessions ----

const end = ({ jti }) => api.session_end(jti).catch((error) => { if (error.code !== "NOT_FOUND") throw error; });

const sessions = list(async (again) => {
	const all = await api.sessions_list();
	others.hidden = all.length < 2;
	return all.map((one) => [h("div", {}, h("b", {}, device(one.user_agent)), one.current && ` (${t("sessions.this")})`,
		h("div", { class: "quiet" }, one.address, " · ", when(one.last_seen_at), " · ", t("sessions.since", { date: date(one.created_at) }))),
	!one.current && action(t("end"), () => end(one).then(again), { "aria-label": `${t("end")}: ${device(one.user_agent)}` })]);
});

const endOthers = () => action(t("end.others"), async () => {
	if (!await ask(t("end.others"), t("end.ask"), t("end"))) return;
	await Promise.all((await api.sessions_list()).filter(({ current }) => !current).map(end));
	await sessions.fill();
});

let others;

// ---- API keys ----

const keyRows = list(async (again) => (await api.api_keys_list()).map((key) => [
	h("div", {}, h("b", {}, key.name), " ", h("code", {}, key.api_key), h("div", { class: "quiet" },
		key.last_used_at && [t("keys.used"), " ", when(key.last_used_at), " · "], key.expires_at && [t("keys.ends"), " ", when(key.expires_at)])),
	action(t("remove"), async () => {
		if (await ask(t("remove"), t("keys.ask", key), t("remove"))) await api.api_keys_delete(key.id).then(again);
	}, { "aria-label": `${t("remove")}: ${key.name}` })]));

function keys() {
	const fresh = h("div", { role: "status" });
	return section("keys", h("p", { class: "quiet" }, t("keys.text")), keyRows.element, fresh, form({
		fields: [{ name: "name", label: t("keys.name"), needed: true, maxlength: 100, autocomplete: "off" },
			{ name: "days", label: t("keys.days"), type: "number", min: 1, value: "90" }],
		submit: t("keys.create"),
		save: ({ name, days }) => api.api_keys_create({ name, expires_at: days ? now() + days * 86400 : null }),
		done: async ({ api_key }) => {
			fresh.replaceChildren(t("keys.once"), " ", h("code", {}, api_key), " ", action(t("keys.copy"), () => navigator.clipboard.writeText(api_key).then(() => t("keys.copied"))));
			document.querySelector("#keys [name=name]").value = "";
			await keyRows.fill();
		},
	}));
}

// ---- Permissions ----

async function may() {
	const [sources, groups] = await Promise.all([api.own_permission_sources(), api.users_own_groups()]);
	const name = (id) => id === "default" ? t("may.default") : groups.find((group) => group.id === id)?.name ?? id;
	return section("may", user.role === "admin" && t("may.admin"), Object.entries(sources).map(([part, permissions]) => h("details", {}, h("summary", {}, part),
		h("table", {}, Object.entries(permissions).map(([key, { value, from }]) => h("tr", {}, h("th", { scope: "row" }, key.replaceAll("_", " ")),
			h("td", {}, t(value ? "yes" : "no")), h("td", { class: "quiet" }, from.map(name).join(", "))))))));
}

start("account", "user", async () => {
	const isPending = user.role === "pending";
	const hasKeys = user.role === "admin" || user.permissions.features?.api_keys;
	const person = isPending ? user : await api.status_get();
	others = endOthers();
	await Promise.all([sessions.fill(), hasKeys && keyRows.fill()]);
	const admin = isPending && await api.admin_details().catch(() => null);
	const parts = [!isPending && profile(person), !isPending && status(person), site.password_sign_in && password(),
		section("sessions", sessions.element, others), hasKeys && keys(), !isPending && await may()].filter(Boolean);
	return [h("p", { class: "quiet" }, user.email), isPending && h("p", { class: "pending" }, t("pending"), " ", admin?.email && t("pending.ask", admin)),
		h("nav", { "aria-label": t("account") }, parts.map(({ id }) => h("a", { href: `#${id}` }, t(id)))), parts];
});
