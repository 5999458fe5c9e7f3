// factor.js: second factors: what comes behind the password at a sign-in, and what people do with their own. Pages load it
// when it is needed.
import { action, api, dialog, form, h, signInAgain, t } from "./page.js";

function show(place, ...content) {
	place.replaceChildren(...content.flat());
	place.querySelector("[autofocus]")?.focus();
}

const copy = (text) => action(t("keys.copy"), () => navigator.clipboard.writeText(text).then(() => t("keys.copied")));

// Shows a form for a code of the factor; a click makes it one for a recovery code. save({ code, recovery }).
function askCode(place, save, done, isRecovery = false) {
	const other = h("button", { type: "button", onclick: () => askCode(place, save, done, !isRecovery) }, t(isRecovery ? "factor.by_code" : "factor.by_recovery"));
	const kind = isRecovery ? { autocomplete: "off", label: t("factor.recovery") } : { autocomplete: "one-time-code", inputmode: "numeric", label: t("factor.code") };
	show(place, form({
		fields: [{ name: "code", needed: true, autofocus: true, spellcheck: "false", ...kind }],
		submit: t("go_on"),
		save: ({ code }) => save({ code: code.replace(/\s/g, ""), ...isRecovery && { recovery: true } }),
		done,
		after: other,
	}));
}

// The codes, which nobody sees again.
function showCodes(place, { recovery_codes: codes }, done) {
	const text = `${codes.join("\n")}\n`;
	show(place, h("p", { role: "status" }, t("factor.keep")), h("ol", codes.map((code) => h("li", h("code", code)))),
		h("p.actions", copy(text), h("a", { download: "recovery-codes.txt", href: URL.createObjectURL(new Blob([text])) }, t("factor.download"))),
		h("button", { class: "main", autofocus: true, onclick: done }, t("factor.kept")));
}

async function enroll(place, challenge_token, done) {
	const { manual_key, qr_code } = await api.mfa_enroll_start({ challenge_token });
	show(place, h("p", t("factor.scan")), h("img.qr", { src: qr_code, alt: t("factor.qr"), width: 220, height: 220 }),
		h("p", t("factor.key"), " ", h("code", manual_key.match(/.{1,4}/g).join(" ")), " ", copy(manual_key)),
		form({
			fields: [{ name: "code", label: t("factor.code"), needed: true, autofocus: true, autocomplete: "one-time-code", inputmode: "numeric" }],
			submit: t("go_on"),
			save: ({ code }) => api.mfa_enroll_confirm({ challenge_token, code: code.replace(/\s/g, "") }),
			done: (answer) => showCodes(place, answer, () => done(answer)),
		}));
}

// Goes on with what an answer says comes next, in place of an element; done(answer) behind the last step.
export async function step({ next_step, challenge_token }, old, done) {
	const place = h("div.step");
	old.replaceWith(place);
	if (next_step === "enroll") return enroll(place, challenge_token, done);
	if (next_step === "verify") return askCode(place, (values) => api.mfa_verify({ challenge_token, ...values }), done);
	show(place, next_step !== "recover" ? t("pending") : form({
		before: t("factor.recover"),
		fields: [{ name: "reset_token", label: t("factor.reset_token"), needed: true, autofocus: true, autocomplete: "off" }],
		submit: t("go_on"),
		save: ({ reset_token }) => api.mfa_recover({ challenge_token, reset_token: reset_token.trim() }),
		done: (next) => step(next, place, done),
	}));
}

// Changes the own factor: choose, replace, codes or remove. All sessions end with it, so the person signs in anew.
export async function manage(kind) {
	const place = h("div"), leave = () => location.assign("/account/sign-in?rd=%2Faccount%2F%23factor");
	const box = dialog(t(`factor.${kind}`), h("p.quiet", t("factor.ends")), place, h("p", h("button", { onclick: () => box.close("") }, t("cancel"))));
	// What needs a fresh sign-in asks for one. That uses up a code of the app, so what was typed before is not sent again.
	const fresh = (call, again) => call().catch(async (error) => {
		if (error.code === "ACTION_PROHIBITED") throw { code: "factor" };
		if (error.code !== "REAUTHENTICATION_REQUIRED" || !await signInAgain(t("sign_in"))) throw error;
		return again();
	});
	if (kind === "choose") {
		await fresh(api.mfa_choose, api.mfa_choose).then((next) => step(next, place, leave), (error) => { box.close(""); throw error; });
	} else {
		const call = { replace: api.mfa_replace, codes: api.mfa_recovery_codes, remove: api.mfa_remove }[kind];
		const done = { replace: (next) => step(next, place, leave), codes: (answer) => showCodes(place, answer, leave), remove: leave }[kind];
		askCode(place, (values) => fresh(() => call(values), () => { throw { code: "next_code" }; }), done);
	}
	await box;
}
