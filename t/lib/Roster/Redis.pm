# Roster::Redis: a client of Redis for tests (RESP2).
package Roster::Redis;
use v5.36;

use Roster::Http;

sub connect ($class, $path) { return bless {socket => Roster::Http::open_socket(unix => $path)}, $class }

# One command; its reply: text, number, undef or an array of these. Dies on an error.
sub command ($self, @words) {
    my $socket = $self->{socket};
    my $bytes = '*' . @words . "\r\n";
    for my $word (@words) {
        my $copy = "$word";
        utf8::encode($copy);
        $bytes .= '$' . length($copy) . "\r\n$copy\r\n";
    }
    local $SIG{PIPE} = 'IGNORE';
    print $socket $bytes or die "redis: $!\n";
    $socket->flush;
    return $self->read_reply;
}

sub read_reply ($self) {
    my $line = readline($self->{socket}) // die "redis: the connection is closed\n";
    my ($type, $rest) = $line =~ /^(.)(.*)\r\n$/ or die "redis: $line\n";
    return $rest if $type eq '+' || $type eq ':';
    die "redis: $rest\n" if $type eq '-';
    return undef if $rest < 0;
    return [map { $self->read_reply } 1 .. $rest] if $type eq '*';
    read $self->{socket}, my ($text), $rest + 2;
    return substr $text, 0, $rest;
}

1;
