/* secret_box.h: secrets that are stored encrypted, with keys that are derived from the secret keys.
 *
 * A sealed text is AES-256-GCM (NIST SP 800-38D) with a random nonce, under a key that HKDF (RFC 5869, SHA-256) makes
 * of a secret key, so that no other use of that key can open it. It is bound to a label: sealed for one person, it
 * opens for no other. Its form is ID.BASE64URL, with the id of the secret key, and in base64url nonce, ciphertext and
 * tag. */
#ifndef ROSTER_BASE_SECRET_BOX_H
#define ROSTER_BASE_SECRET_BOX_H

#include "base/arena.h"
#include "base/text.h"

/* The id of a secret key, which may be public: eight digits, and a NUL. It is a part of the HMAC of this label. */
enum { SECRET_KEY_ID_SIZE = 9 };
#define SECRET_KEY_ID_LABEL "roster key id 1"
struct text secret_box_key_id(struct arena *arena, struct text key);

/* Seals a text for `label`; in the arena. */
struct text secret_box_seal(struct arena *arena, struct text key, struct text label, struct text plain);

/* Opens it with whichever of the keys sealed it. The null text: none of them did, or not for this label. */
struct text secret_box_open(struct arena *arena, const struct text *keys, size_t count, struct text label,
                            struct text sealed);

/* The id of the key that sealed a text; the null text where it is malformed. */
struct text secret_box_id_of(struct text sealed);

/* Opens a token of Fernet (its specification, version 0x80: AES-128-CBC and HMAC-SHA256) under a key that HKDF makes of
 * a secret key with `info`, as Open WebUI stores secrets. Its age does not count. The null text: this key did not make
 * it. */
struct text secret_box_open_fernet(struct arena *arena, struct text key, const char *info, struct text token);

#endif
