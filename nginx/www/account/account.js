// account.js: /account/: a person's profile, status, password, sessions, API keys and permissions.
import { action, api, ask, date, device, form, h, list, newPassword, origins, picture, site, start, t, user, when } from "./page.js";

const section = (id, ...content) => h("section", { id, "aria-label": t(id) }, h("h2", t(id)), content);
const now = () => Math.floor(Date.now() / 1000);

// ---- Profile ----

// Asks which square of a picture to take: a data URI, or null.
async function crop(image) {
	const side = 256, canvas = h("canvas", { width: side, height: side, tabindex: 0, role: "img", "aria-label": t("picture.move") }), context = canvas.getContext("2d");
	const zoom = h("input", { type: "range", min: 1, max: 4, step: .05, value: 1, "aria-label": t("picture.zoom"), oninput: () => move(0, 0) });
	let x = 0, y = 0; // of the middle, from that of the square
	function move(right, down) {
		const scale = side / Math.min(image.width, image.height) * zoom.value, width = image.width * scale, height = image.height * scale;
		const within = (value, size) => Math.max(side - size, Math.min(size - side, value * 2)) / 2;
		x = within(x + right, width);
		y = within(y + down, height);
		context.clearRect(0, 0, side, side);
		context.drawImage(image, (side - width) / 2 + x, (side - height) / 2 + y, width, height);
	}
	let from; // not movementX, which is 0 for some fingers
	canvas.onpointerdown = (event) => { from = event, canvas.setPointerCapture(event.pointerId); };
	canvas.onpointermove = (event) => { if (event.buttons) move(event.clientX - from.clientX, event.clientY - from.clientY), from = event; };
	canvas.onkeydown = (event) => {
		const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
		if (step) move(...step), event.preventDefault();
	};
	move(0, 0);
	return await ask(t("picture"), [canvas, h("p.quiet", t("picture.move")), zoom], t("save"), "main") ? canvas.toDataURL("image/webp") : null;
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
	const zone = person.timezone ?? "", option = (value) => [value, value.replaceAll("_", " ") || "–"];
	const fields = form({
		fields: [{ name: "name", value: person.name, needed: true, maxlength: 255, autocomplete: "name" },
			{ name: "bio", type: "textarea", value: person.bio ?? "", maxlength: 16000 },
			{ name: "timezone", value: zone, options: [option(zone)] }],
		submit: t("save"),
		save: async ({ timezone, ...change }) => {
			if (timezone) await api.timezone_update({ timezone });
			return save(change);
		},
		done: (text) => text,
	});
	// Four hundred zones, when the page has been drawn.
	requestAnimationFrame(() => setTimeout(() => fields.timezone.append(...Intl.supportedValuesOf("timeZone").filter((one) => one !== zone).map((one) => new Option(...option(one).reverse())))));
	show();
	return section("profile", h("div.actions", shown, h("div.actions", choose, action(t("remove"), () => save({ profile_image_url: "/user.png" })))), fields);
}

function status({ status_emoji, status_message, status_expires_at }) {
	const isOver = status_expires_at && status_expires_at < now(), ends = !isOver && status_expires_at;
	const row = (name, maxlength, value) => ({ name, maxlength, value: !isOver && value || "", autocomplete: "off" });
	const whole = section("status", form({
		fields: [row("status_emoji", 16, status_emoji), row("status_message", 200, status_message), { name: "until", value: ends || "0",
			options: [["0", t("until.change")], ...ends ? [[ends, date(ends)]] : [], ...[1, 4, 24].map((hours) => [`+${hours}`, t("until.hours", { hours })])] }],
		submit: t("save"),
		save: ({ until, ...values }) => api.status_update({ ...values, status_expires_at: until[0] === "+" ? now() + until * 3600 : Number(until) }),
		done: () => t("saved"),
		after: action(t("clear"), async () => {
			await api.status_update({ status_emoji: "", status_message: "", status_expires_at: 0 });
			const empty = status({});
			whole.replaceWith(empty);
			empty.querySelector("input").focus();
		}),
	}));
	return whole;
}

const password = () => section("password", form({
	before: h("input", { value: user.email, autocomplete: "username", hidden: true }),
	fields: [{ name: "password", label: t("current_password"), type: "password", needed: true, autocomplete: "current-password" }, newPassword()],
	submit: t("password.change"),
	save: api.password_update,
	done: async () => {
		const form = document.querySelector("#password form");
		form.reset();
		form.new_password.dispatchEvent(new Event("input"));
		await sessions.fill();
		return t("password.changed");
	},
}));

// ---- Sessions ----

// What is to go, and has gone meanwhile, is gone.
const gone = (error) => { if (error.status !== 404) throw error; };
const end = ({ jti }) => api.session_end(jti).catch(gone);

const sessions = list(api.sessions_list, (one, again) => [h("div", h("b", device(one.user_agent)), one.current && ` (${t("sessions.this")})`,
	h("div.quiet", one.address, " · ", when(one.last_seen_at), " · ", t("sessions.since", { date: date(one.created_at) }))),
!one.current && action(t("end"), () => end(one).then(again), { "aria-label": `${t("end")}: ${device(one.user_agent)}` })]);

const endOthers = () => action(t("end.others"), async () => {
	const keys = h("input", { type: "checkbox" });
	if (!await ask(t("end.others"), [t("end.ask"), hasKeys() && h("p", h("label", keys, " ", t("end.keys")))], t("end"))) return;
	await api.sessions_end({ others: true, keys: keys.checked });
	await Promise.all([sessions.fill(), keys.checked && keyRows.fill()]);
	sessions.element.focus();
});

// ---- API keys ----

const keyRows = list(api.api_keys_list, (key, again) => [h("div", h("b", key.name), " ", h("code", key.api_key), h("div.quiet",
	key.last_used_at && [t("keys.used"), " ", when(key.last_used_at), " · "], key.expires_at && [t("keys.ends"), " ", when(key.expires_at)])),
action(t("remove"), async () => {
	if (await ask(t("remove"), t("keys.ask", key), t("remove"))) await api.api_keys_delete(key.id).catch(gone).then(again);
}, { "aria-label": `${t("remove")}: ${key.name}` })]);

function keys() {
	const fresh = h("div", { role: "status" });
	return section("keys", h("p.quiet", t("keys.text")), keyRows.element, fresh, form({
		fields: [{ name: "name", label: t("keys.name"), needed: true, maxlength: 100, autocomplete: "off" },
			{ name: "days", label: t("keys.days"), type: "number", min: 1, value: "90" }],
		submit: t("keys.create"),
		save: ({ name, days }) => api.api_keys_create({ name, expires_at: days ? now() + days * 86400 : null }),
		done: async ({ api_key }) => {
			const copy = action(t("keys.copy"), () => navigator.clipboard.writeText(api_key).then(() => t("keys.copied")));
			fresh.replaceChildren(t("keys.once"), " ", h("code", api_key), " ", copy);
			document.querySelector("#keys [name=name]").value = "";
			copy.focus();
			await keyRows.fill();
		},
	}));
}

// ---- The second factor ----

const factor = ({ enabled, recovery_codes_remaining: count }) => section("factor", h("p", t(enabled ? "factor.on" : "factor.off", { count })),
	h("div.actions", (enabled ? ["replace", "codes", "remove"] : ["choose"]).map((kind) => action(t(`factor.${kind}`), async () => (await import("./factor.js")).manage(kind)))));

const isPending = () => user.role === "pending";
const hasKeys = () => user.role === "admin" || user.permissions.features?.api_keys;

start("account", "user", ([all, own, person, state, sources, groups]) => {
	sessions.show(all);
	keyRows.show(own);
	const ended = section("sessions", sessions.element, endOthers());
	const parts = isPending() ? [site.password_sign_in && password(), ended]
		: [profile(person), status(person), ...site.password_sign_in ? [password(), factor(state)] : [], ended, hasKeys() && keys(), section("may", user.role === "admin" && t("may.admin"), origins(sources, groups))];
	return [h("p.quiet", user.email), isPending() && h("p", t("pending"), " ", person?.email && t("pending.ask", person)),
		h("nav", { "aria-label": t("account") }, parts.filter(Boolean).map(({ id }) => h("a", { href: `#${id}` }, t(id)))), parts, h("p", h("a", { href: "/api/v1/auths/export", download: "account.json" }, t("export")))];
// Who waits for an administrator learns the name of one.
}, () => Promise.all([api.sessions_list(), hasKeys() ? api.api_keys_list() : [],
	...isPending() ? [api.admin_details().catch(() => null)] : [api.status_get(), api.mfa_status(), api.own_permission_sources(), api.users_own_groups()]]));
