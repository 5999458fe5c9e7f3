// link.js: /account/forgot asks for a mail with a link; /account/reset and /account/verify are where links lead. The secret
// of a link stands behind #, which no server sees, and is used only when a person clicks: programs open links in mails, too.
import { api, form, h, newPassword, site, start, t } from "./page.js";

const title = ["forgot", "reset", "verify"].find((name) => location.pathname.includes(name));
const token = location.hash.slice(1);

// A form that makes way for what came of it.
function once(told, given) {
	const whole = form({ ...given, done: () => { whole.replaceWith(h("p", { role: "status" }, told)); } });
	return whole;
}

const pages = {
	forgot: () => site.password_reset ? once(t("forgot.done"), {
		before: t("forgot.text"),
		fields: [{ name: "email", type: "email", needed: true, autocomplete: "username", autofocus: true }],
		submit: t("forgot.send"),
		save: api.password_forgot,
	}) : t("forgot.off"),
	reset: () => once(t("reset.done"), {
		fields: [newPassword({ autofocus: true })],
		submit: t("save"),
		save: (values) => api.password_reset({ ...values, token }),
	}),
	verify: () => once(t("verify.done"), { fields: [], submit: t("verify.confirm"), save: () => api.email_verify({ token }) }),
};

start(title, "anyone", () => [token || title === "forgot" ? pages[title]() : t("error.INVALID_LINK"),
	h("p", h("a", { href: "/account/sign-in" }, t("sign_in")))]);
