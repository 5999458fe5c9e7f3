# The pages of nginx/www: small enough, nothing that their Content-Security-Policy forbids, nothing of another host, and
# the same texts in each language.
use v5.36;
use utf8;

use File::Find;
use Test::More;
use Roster::Tables;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my $www = "$Roster::Tables::source/nginx/www";
my @files;
find({no_chdir => 1, wanted => sub { push @files, $_ if -f && !/client\.js$/ }}, $www);
my %content = map { (s{^\Q$www\E/}{}r => Roster::Tables::slurp($_)) } sort @files;
my $client = Roster::Tables::rosterctl('client');
$content{'account/client.js'} = $client;

# ---- Size ----

# Mails, the audit and second factors are counted apart: their files, and their texts.
my %apart = (
    mail => qr/^(?:forgot|reset|verify|invited?)\b/,
    audit => qr/^(?:audit|trail)\b/,
    factor => qr/^(?:factor|error[.](?:CHALLENGE\w+|INVALID_(?:CODE|RESET_TOKEN)|next_code|factor))\b/);
my %part_of = (
    'account/link.js' => 'mail',
    'account/link.html' => 'mail',
    'admin/audit.js' => 'audit',
    'account/factor.js' => 'factor');
my %most = (pages => 80, mail => 3, audit => 4, factor => 9);    # KB
my (%size, %together);
for my $name (sort keys %content) {
    my $bytes = $content{$name};
    utf8::encode($bytes) if utf8::is_utf8($bytes);
    diag sprintf '%6d %s', length $bytes, $name if $ENV{ROSTER_TEST_SIZES};
    $size{$name} = length $bytes;
    next if $name eq 'account/de.txt';
    my $part = $part_of{$name} // 'pages';
    if ($name eq 'account/en.txt') {
        for my $line (split /^/, $bytes) {
            my ($of) = grep { $line =~ $apart{$_} } sort keys %apart;
            $together{$of // 'pages'} += length $line;
        }
    }
    else {
        $together{$part} += length $bytes;
    }
}
for my $part (sort keys %together) {
    diag "$together{$part} $part, all together" if $ENV{ROSTER_TEST_SIZES};
    cmp_ok $together{$part}, '<', $most{$part} * 1024,
        "$part: all files together, in one language, are under $most{$part} KB";
}

# What a file loads, with the texts of one language.
sub load ($name, $loaded) {
    return if $loaded->{$name}++;
    my $directory = $name =~ s{/[^/]*$}{}r;
    my @wanted =
        $content{$name} =~ /(?:^(?:im|ex)port .* from |<script[^>]*\ssrc=|<link rel="stylesheet" href=)"([^"]*)"/mg;
    push @wanted, './en.txt' if $name =~ m{/page\.js$};
    load(m{^/} ? substr $_, 1 : "$directory/" . s{^\./}{}r, $loaded) for @wanted;
    return;
}

# Which module admin.js loads for each address.
my ($row) = $content{'admin/admin.js'} =~ /^const pages = \{ (.*) \};$/m;
my %module = $row =~ /("?\w*"?): "(\w+)"/g;
my ($rewritten) = Roster::Tables::slurp("$www/../roster-pages.conf") =~ /rewrite \^\/admin\/\(\?:([\w|]+)\)\$/;
is join('|', sort grep { $_ ne '""' } keys %module), $rewritten,
    'nginx has index.html for each address that admin.js knows';

for my $page (
    (map { [$_] } sort grep { /\.html$/ && !/^admin/ } keys %content),
    map { ['admin/index.html', "admin/$module{$_}.js"] } sort keys %module)
{
    my ($size, %loaded) = 0;
    load($_, \%loaded) for @$page;
    $size += $size{$_} // die "@$page: there is no $_\n" for keys %loaded;
    diag sprintf '%6d %s with all that it loads', $size, "@$page" if $ENV{ROSTER_TEST_SIZES};
    cmp_ok $size, '<', 60 * 1024, "@$page with all that it loads is under 60 KB";
}

# ---- What the policy forbids ----

for my $name (sort grep { /\.html$/ } keys %content) {
    unlike $content{$name}, qr/<script(?![^>]*\ssrc=")|<style|\s(?:style|on\w+)=/i,
        "$name has no inline script or style";
    like $content{$name}, qr/^<!doctype html>\n<html lang="/, '... is HTML, with a language';
    for my $path ($content{$name} =~ /(?:src|href)="([^"]*)"/g) {
        next if $path eq 'data:,';
        ok $content{$path =~ s{^/}{}r}, "... and $path exists";
    }
}
for my $name (sort grep { /\.js$/ } keys %content) {
    unlike $content{$name}, qr/\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\b|new Function/,
        "$name makes no HTML of texts";
    for my $path ($content{$name} =~ /^(?:im|ex)port .* from "([^"]*)"/mg) {
        my ($directory) = $name =~ m{^(.*)/};
        my $target = $path =~ m{^/} ? substr $path, 1 : "$directory/" . ($path =~ s{^\./}{}r);
        ok $content{$target}, "... and $path exists";
    }
}
unlike $content{$_}, qr{(?<!")https?://(?!users\.example\.org|www\.w3\.org/2000/svg)}, "$_ names no other host"
    for sort keys %content;

# ---- Texts ----

sub texts ($name) {
    my %text;
    for my $line (grep { $_ ne '' } split /\n/, $content{$name}) {
        my ($key, $text) = $line =~ /^([\w.]+) (\S.*)$/ or fail "$name: this is no text: $line";
        fail "$name: $key stands twice" if exists $text{$key};
        $text{$key} = $text;
    }
    return \%text;
}

my %known = map { ($_->[0] => 1) } Roster::Tables::rows('tables/errors.def', 'ERROR');
my %of_client = map { ($_ => 1) } qw(OFFLINE UNKNOWN);
my ($en, $de) = map { texts("account/$_.txt") } qw(en de);
is_deeply [sort grep { !/^set[.]/ } keys %$de], [sort keys %$en], 'both languages have the same keys';
is_deeply [sort grep { /^set[.]/ } keys %$de],
    [
    sort 'set.other',
    map { "set.$_->[0]" }
    grep { $_->[6] ne 'Kept for the application.' } Roster::Tables::rows('tables/settings.def', 'SETTING')
    ],
    '... and German each setting that has a text of its own, whose English is in the table';
my @other =
    grep { join(' ', sort $en->{$_} =~ /\{\w+\}/g) ne join(' ', sort +($de->{$_} // '') =~ /\{\w+\}/g) } keys %$en;
is_deeply [sort @other], [], '... and the same words in braces';
my $code = join "\n", map { $content{$_} } grep { /\.js$/ && !m{/client\.js$} } sort keys %content;
is_deeply [map { s/^audit[.]//r } sort grep { /^audit[.]/ } keys %$en],
    [sort map { $_->[0] } Roster::Tables::rows('tables/audit.def', 'AUDIT_ACTION')],
    'each action of the audit has a text, audit.NAME';
my @unused = grep {
    my ($error) = /^error\.([A-Z_]+)$/;
    defined $error
        ? !$known{$error} && !$of_client{$error}
        : $code !~ /"(?:\Q$_\E)"/ && $code !~ /`\Q@{[s{[.].*}{.}r]}\E\$\{/;
} sort keys %$en;
is_deeply \@unused, [], 'each key is used';
is_deeply [sort grep { !$en->{$_} } $code =~ /\bt\("([\w.]+)"/g], [], 'each key that is used has a text';

# ---- The client ----

my @routes = Roster::Tables::rows('tables/routes.def', 'ROUTE');
my ($table) = $client =~ /^const routes = `\n(.*?)^`;/ms;
my ($under, @told);
for my $line (split /\n/, $table) {
    if ($line =~ m{^/}) { $under = $line }
    else { push @told, $line =~ s{^(\w+ )([A-Z]+ )?}{$1 . ($2 // 'GET ') . $under}er }
}
is_deeply \@told, [
    map {
        my ($name, $method, $path, $place, undef, undef, $body, $query) = @$_;
        my $marks = ($body eq 'NONE' ? '' : '!') . ($query eq 'NONE' ? '' : '?') . ($place eq 'AT_ROOT' ? '/' : '');
        join ' ', $name, $method, $path, $marks || ();
    } @routes
    ],
    'client.js has each route';

done_testing;
