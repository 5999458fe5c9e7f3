# Every command of rosterctl has its help, its place in the completions, and texts of one style.
use v5.36;
use utf8;

use File::Temp ();
use Test::More;
use Text::Balanced ();
use Roster::Tables;

my @commands = Roster::Tables::rows('ctl/commands.def', 'COMMAND');
my @options = Roster::Tables::records('ctl/commands.def', 'OPTION');
my @global = Roster::Tables::records('ctl/commands.def', 'GLOBAL_OPTION');
my @names = Roster::Tables::records('ctl/commands.def', 'OPTION_NAME');
my %words = map { ($_->{name} => $_->{words}) } @names;

# Each row is used: an option by a command, an argument by an option or a command. The compiler knows the other way
# round, but for the arguments of commands, which are texts.
my %taken = map { ($_->{name} => 1) } @options, @global;
is_deeply [grep { !$taken{$_->{name}} } @names], [], 'each option is taken by a command';
my %argument = map { ($_->[0] => 0) } Roster::Tables::rows('ctl/commands.def', 'ARGUMENT');
for my $name ((map { $_->{value} } @names), map { $_->[2] =~ /[A-Z]+/g } @commands) {
    ok exists $argument{$name}, "$name is an argument" if $name ne 'NONE' && !$argument{$name}++;
}
is_deeply [grep { !$argument{$_} } sort keys %argument], [], 'each argument stands for something';

# Each command is called by a test of its own, with what it is called for: a call that is shown to be wrong, with status 2,
# is none.
my %called;
for my $file (glob "$Roster::Tables::source/t/e2e/*.t") {
    my $text = Roster::Tables::slurp($file);
    while ($text =~ /->(?:rosterctl|ctl|ctl_json)(?=\()/g) {
        my ($arguments, $rest) = Text::Balanced::extract_bracketed(substr($text, $+[0]), q{(){}[]'"});
        ok defined $arguments, "a call in $file can be read" or next;
        next if $arguments =~ /'--help'/ || $rest =~ /^, 2,/;
        my @words = $arguments =~ /\G(?:\(|,)\s*'((?:[^'\\]|\\.)*)'\s*/g;
        $called{join ' ', grep { !/^-/ } @words} = 1;
    }
}
for my $row (@commands) {
    my ($words) = $row->[1];
    ok scalar(grep { /^\Q$words\E(?: |$)/ } keys %called), "a test in t/e2e calls rosterctl $words";
}

my $overview = Roster::Tables::rosterctl('help');
like $overview, qr/--\Q$words{$_->{name}}\E /, "the overview has --$words{$_->{name}}" for @global;
for my $row (@commands) {
    my ($name, $words, $arguments, $min, $max, $needs, $text, $more) = @$row;
    like $overview, qr/^  \Q$words\E(?: |$)/m, "the overview has $words";
    my ($help, $status) = Roster::Tables::rosterctl('help', split / /, $words);
    is $status, 0, '... it has help';
    like $help, qr/\Q$text\E\./, '... with its text';
    for my $option (map { $words{$_->{name}} } grep { $_->{command} eq $name } @options) {
        like $help, qr/--\Q$option\E/, "... and with --$option";
    }
    unlike $help, qr/^ +-q, /m, '... and without those of every command';
    unlike $text, qr/\.$/, '... its text has no full stop';
    like $more, qr/^$|\.$/, '... what follows is whole sentences';
    cmp_ok $min, '<=', $max, '... its numbers of arguments are in order';
    is $max > 0, length $arguments > 0, '... and go with the arguments that it shows';
}
like $_->{text}, qr/\.$/, "--$words{$_->{name}} of $_->{command} has a whole sentence" for @options;

for my $shell (qw(bash zsh)) {
    my ($script, $status) = Roster::Tables::rosterctl('completion', $shell);
    is $status, 0, "there is a completion for $shell";
    for my $row (@commands) {
        for my $word (split / /, $row->[1]) {
            like $script, qr/(?<![\w-])\Q$word\E(?![\w-])/, "... it has the word $word of $row->[1]";
        }
    }
    like $script, qr/--\Q$_\E(?![\w-])/, "... it has --$_" for values %words;
    SKIP: {
        skip "there is no $shell", 1 if !grep { -x "$_/$shell" } split /:/, $ENV{PATH};
        my $file = File::Temp->new;
        print {$file} $script;
        $file->flush;
        is system($shell, '-n', $file->filename), 0, "... $shell can read it";
    }
}

# What bash offers.
SKIP: {
    skip 'there is no bash', 1 if !grep { -x "$_/bash" } split /:/, $ENV{PATH};
    my $file = File::Temp->new;
    print {$file} scalar Roster::Tables::rosterctl('completion', 'bash');
    print {$file} <<'END';
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rosterctl; echo "${COMPREPLY[*]}"; }
try rosterctl us
try rosterctl -c /dev/null user a
try rosterctl user add --r
try rosterctl user add --role ''
try rosterctl --quiet group ad
try rosterctl user role somebody a
try rosterctl directive listen_b
try rosterctl settings get ENABLE_USER_W
try rosterctl settings set DEFAULT_U
try rosterctl permissions default features.web_
try rosterctl user import /dev/nul
END
    $file->flush;
    local $ENV{PATH} = "$Roster::Tables::build:$ENV{PATH}";
    is scalar(`bash @{[$file->filename]}`),
        "user\nadd\n--role --random-password\npending user admin\nadd add-member\nadmin\nlisten_backlog\n"
        . "ENABLE_USER_WEBHOOKS\nDEFAULT_USER_ROLE=\nfeatures.web_search=\n/dev/null\n",
        'bash offers what fits';
}

done_testing;
