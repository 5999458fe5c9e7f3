# CWE-444: request smuggling: a body that nginx and a worker end at different places begins with somebody else's request.
use v5.36;

use Test::More;
use Roster::Attack;

# What comes over one connection for these bytes, and whether the smuggled request was carried out.
sub all_answers ($roster, $bytes) {
    my $socket = $roster->open_connection;
    syswrite $socket, $bytes;
    my $select = IO::Select->new($socket);
    my ($received, @answers) = '';
    # A server that waits for more of a body waits for long: what it has answered by then is all.
    while ($select->can_read(0.15 * $Roster::Process::patience)) {
        last if !sysread $socket, $received, 65536, length $received;
    }
    close $socket;
    while (my $answer = eval { Roster::Http::parse(\$received, 1, 'GET') }) {
        push @answers, $answer;
    }
    return @answers;
}

attack 'a second request in a body' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    my $user = $roster->add_user;
    my $number = 0;
    my $smuggle = sub ($fields, $before, $after = '') {
        my $mark = 'smuggled' . ++$number;
        my $content = "{\"x\":\"$mark\"}";
        my $inner =
              "POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $admin->{token}\r\n"
            . "Content-Type: application/json\r\nContent-Length: @{[length $content]}\r\n\r\n$content";
        my $body = $before . $inner . $after;
        my $head = "POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $user->{token}\r\n"
            . "Content-Type: application/json\r\n";
        my @answers = all_answers($roster, $head . ($fields =~ s/LENGTH/length $body/er) . "\r\n" . $body);
        my $stored = $roster->sql('SELECT info FROM user WHERE id = ?', $admin->{id}) // '';
        return (scalar @answers, $stored =~ /\Q$mark\E/ ? 1 : 0, join ' ', map { $_->{status} } @answers);
    };
    # What is no attack: two requests one after the other are two.
    my ($count, $done, $statuses) = $smuggle->("Content-Length: 2\r\n", '{}');
    is "$count $done $statuses", '2 1 200 200', 'a second request behind a whole body is one';
    for my $case (
        [
            'both lengths, the second one chunked',
            "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n"
        ],
        ['both, the other way', "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"],
        ['two lengths', "Content-Length: 2\r\nContent-Length: LENGTH\r\n", '{}'],
        ['two lengths in one field', "Content-Length: 2, LENGTH\r\n", '{}'],
        ['a length with a sign', "Content-Length: +2\r\n", '{}'],
        ['a length in hexadecimal', "Content-Length: 0x2\r\n", '{}'],
        ['a negative length', "Content-Length: -1\r\n", '{}'],
        ['a length beyond 64 bits', "Content-Length: 18446744073709551618\r\n", '{}'],
        ['a space before the colon', "Content-Length : 2\r\n", '{}'],
        [
            'chunked with a space before the colon',
            "Transfer-Encoding : chunked\r\nContent-Length: LENGTH\r\n",
            "0\r\n\r\n"
        ],
        ['chunked twice', "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
        ['another coding behind it', "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"],
        ['another coding', "Transfer-Encoding: xchunked\r\nContent-Length: LENGTH\r\n", "0\r\n\r\n"],
        ['a vertical tab', "Transfer-Encoding:\x0bchunked\r\nContent-Length: LENGTH\r\n", "0\r\n\r\n"],
        ['a line that goes on', "Transfer-Encoding:\r\n chunked\r\nContent-Length: LENGTH\r\n", "0\r\n\r\n"],
        ['an underscore', "Content-Length: LENGTH\r\nTransfer_Encoding: chunked\r\n", "0\r\n\r\n"],
        ['NUL in a name', "Content\0-Length: 2\r\nContent-Length: LENGTH\r\n", '{}'],
        ['a bare CR', "X: y\rContent-Length: 2\r\nContent-Length: LENGTH\r\n", '{}'],
        ['chunks that end with LF', "Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n", undef],
        ['an extension with a line end', "Transfer-Encoding: chunked\r\n", "0;a=\"\nb\"\r\n\r\n", undef])
    {
        my ($name, $fields, $before) = @$case;
        my ($count, $done, $statuses) = $smuggle->($fields, $before);
      # Either there is one message, of which the rest is body; or nginx sees two, and answers both: what counts is that
      # nobody behind nginx sees another number than nginx.
        ok $count == $done + 1 || !$done,
            "$name: $count answers ($statuses), " . ($done ? 'two requests' : 'one request');
    }
    # With both lengths, and with two: refused, since no two programs agree about it (RFC 9112, section 6.3).
    for my $fields (
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Transfer-Encoding: gzip, chunked\r\n")
    {
        my (undef, $done, $statuses) = $smuggle->($fields, '{}');
        like $statuses, qr/^(?:400|501)$/, ($fields =~ s/\r\n/ /gr) . "is refused: $statuses";
        ok !$done, '... and what follows is no request';
    }
};

attack 'the body of one reaches no other' => sub ($roster) {
    my ($one, $other) = map { $roster->add_user } 1, 2;
    for my $name ('too long', 'too short') {
        my $body = $name eq 'too long' ? '{}' . 'GET /auths/ HTTP/1.1' : '{"a":';
        my $length = $name eq 'too long' ? 2 : 500;
        my $socket = $roster->open_connection;
        syswrite $socket, "POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $one->{token}\r\n"
            . "Content-Type: application/json\r\nContent-Length: $length\r\n\r\n$body";
        is $roster->get('/auths/', $other)->{json}{id}, $other->{id},
            "a body that is $name: the next one gets the own answer";
        close $socket;
    }
};

end_of_attacks;
