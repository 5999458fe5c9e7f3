# Roster::Answers: tests about answers, which Roster exports to each test, and answers in short.
#
#   is_problem $answer, 404, 'NOT_FOUND', NAME   it is this error, in the form that all errors have
#   is_unavailable $answer, NAME                 it is 503 UNAVAILABLE, with the time to come back
#   is_json $answer, $data, NAME                 it is 200 and this JSON, in which 1, "1" and true differ
# What a test compares:
#   in_short        an answer: "200", "401 INVALID_TOKEN", "no answer"
#   statuses        those of several: "200 200 429"
#   deleted_cookies the names of the cookies that it deletes, in order: "oui-session token"; any other Set-Cookie
#                   stands there whole, behind a ?
#
# An answer is what Roster's request gives: the hash of Roster::Http::parse, or undef where the connection was closed
# without one.
package Roster::Answers;
use v5.36;

use Exporter 'import';
use JSON::PP ();
use Test::More ();

our @EXPORT = qw(is_problem is_unavailable is_json in_short statuses deleted_cookies);

my $json = JSON::PP->new->utf8->allow_nonref->canonical;

sub is_problem ($answer, $status, $code, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $data = $answer && $answer->{json};
    my $good =
           $answer
        && $answer->{status} == $status
        && ref $data eq 'HASH'
        && ($data->{code} // '') eq $code
        && join(' ', sort keys %$data) eq 'code detail'
        && (ref $data->{detail} eq 'ARRAY' || length $data->{detail})
        && $answer->{headers}{'content-type'} =~ m{^application/json\b};
    return Test::More::ok($good, $name) || Test::More::diag(got($answer) . "\nexpected $status $code, as JSON");
}

sub is_unavailable ($answer, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_problem($answer, 503, 'UNAVAILABLE', "$name: 503");
    return Test::More::like($answer && $answer->{headers}{'retry-after'}, qr/^[1-9]\d?$/, "$name: with Retry-After");
}

sub is_json ($answer, $expected, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $value = $answer && $answer->{status} == 200 ? eval { $json->encode($json->decode($answer->{body})) } : undef;
    return Test::More::is($value // got($answer), $json->encode($expected), $name);
}

sub in_short ($answer) {
    return 'no answer' if !$answer;
    my $data = $answer->{json};
    return join ' ', $answer->{status}, (ref $data eq 'HASH' && $answer->{status} >= 400 ? $data->{code} // () : ());
}

sub statuses (@answers) {
    return join ' ', map { $_->{status} } @answers;
}

sub deleted_cookies ($answer) {
    my $gone = qr{^([\w-]+)=;.*Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/};
    return join ' ', sort map { /$gone/ ? $1 : "?$_" } @{$answer->{set_cookie}};
}

sub got ($answer) {
    return $answer ? "got $answer->{status} $answer->{body}" : 'the connection was closed without an answer';
}

1;
