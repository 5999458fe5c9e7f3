/* ascii.h: character classes of ASCII, independent of the locale. */
#ifndef ROSTER_BASE_ASCII_H
#define ROSTER_BASE_ASCII_H

#include <stdbool.h>

static inline bool ascii_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool ascii_is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static inline bool ascii_is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static inline bool ascii_is_letter(char byte)
{
    return ascii_is_lower(byte) || ascii_is_upper(byte);
}

static inline bool ascii_is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7F;
}

/* Space, tab, CR, LF, VT and FF. */
static inline bool ascii_is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* A letter in lower case; any other byte unchanged. */
static inline char ascii_to_lower(char byte)
{
    return ascii_is_upper(byte) ? (char)(byte + ('a' - 'A')) : byte;
}

/* A letter in upper case; any other byte unchanged. */
static inline char ascii_to_upper(char byte)
{
    return ascii_is_lower(byte) ? (char)(byte - ('a' - 'A')) : byte;
}

#endif
