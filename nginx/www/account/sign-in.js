// sign-in.js: /account/sign-in and /account/sign-up. ?rd= is where to go afterwards.
import { action, api, form, goOn, h, newPassword, site, start, t, user } from "./page.js";

const title = location.pathname.endsWith("up") ? "sign_up" : "sign_in";
const isAgain = /[?&]again&/.test(location.search); // a page wants a second factor, or a fresh one
const link = (name, key) => h("p", h("a", { href: `/account/${name}${location.search}` }, t(key)));

// The server says where: the address comes from whoever made the link. It reads the query itself, since nginx writes an
// address into it that is not encoded.
async function leave() {
	const answer = await fetch(`/api/v1/auths/return${location.search}`).then((answer) => answer.json()).catch(() => ({}));
	location.assign(answer.url ?? "/account/");
}

const email = (more) => ({ name: "email", type: "email", needed: true, autocomplete: "username", ...more });
const password = (more) => ({ name: "password", type: "password", needed: true, autocomplete: "current-password", ...more });

// A form that signs in; further steps take its place. Who has no second factor where a page wants one can set it up.
function entry(given) {
	const whole = form({ done: (answer) => answer && (isAgain && !answer.next_step ? location.assign("/account/#factor") : goOn(answer, whole, leave)), ...given });
	return whole;
}

const change = (values) => entry({
	before: t("change"),
	fields: [email({ value: values.email }), password({ value: values.password }), newPassword()],
	submit: t("sign_in"),
	save: api.sign_in,
});

function signIn() {
	const whole = entry({
		fields: [email({ autofocus: true }), password()],
		submit: t("sign_in"),
		save: (values) => api.sign_in(values).catch((error) => {
			if (error.code !== "PASSWORD_CHANGE_REQUIRED") throw error;
			const next = change(values);
			whole.replaceWith(next);
			next.new_password.focus();
		}),
	});
	return [isAgain && h("p", t("factor.again")), site.password_sign_in ? whole : action(t("sign_in"), () => api.sign_in({ email: "", password: "" }).then(leave), { class: "main" }),
		site.password_reset && link("forgot", "forgot"), site.sign_up && link("sign-up", "sign_up")];
}

const signUp = () => site.sign_up ? [entry({
	fields: [{ name: "name", needed: true, autocomplete: "name", maxlength: 255, autofocus: true }, email(), newPassword({ name: "password" })],
	submit: t("sign_up"),
	save: api.sign_up,
}), link("sign-in", "sign_in")] : t("no_sign_up");

// Whoever is signed in is not sent on at once: an application that does not see the cookie would send them back here.
start(title, "anyone", () => user && !isAgain ? [h("p", t("signed_in", user)), action(t("go_on"), leave, { class: "main" })] : title === "sign_up" ? signUp() : signIn());
